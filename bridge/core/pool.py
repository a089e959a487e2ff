"""The pool of live accounts: their sessions' supervisors and their lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bridge.api import Account, AuthFailed, Chat, ContactAddress, NetworkId, Reason, Session
from bridge.core.ground import Ground
from bridge.core.host import AccountHost, Sink
from bridge.core.lanes import Job, Lane
from bridge.core.live import LiveAccount
from bridge.core.supervisor import Supervisor, Watcher
from bridge.core.values import SessionState


class SessionPool:
    """All live accounts of one gateway. `sink` takes the events of their sessions, `watcher` hears how these
    fare; `registered` says with which networks each user has registered (kept by `accounts`)."""

    sink: Sink
    watcher: Watcher

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._live: dict[tuple[str, NetworkId], LiveAccount] = {}
        self._supervisors: dict[LiveAccount, Supervisor] = {}
        self._turns: dict[NetworkId, asyncio.Semaphore] = {}
        self.registered: dict[str, set[NetworkId]] = {}

    def live(self, user: str, network: NetworkId) -> LiveAccount:
        """The account, made if it is not live yet."""
        live = self._live.get((user, network))
        if live is None:
            live = LiveAccount(self._ground, user, network)
            live.registered = network in self.registered.get(user, ())
            self._live[user, network] = live
        return live

    def peek(self, user: str, network: NetworkId) -> LiveAccount | None:
        """The account, if it is live."""
        return self._live.get((user, network))

    def all(self) -> Iterable[LiveAccount]:
        """Every live account."""
        return tuple(self._live.values())

    def of(self, user: str) -> list[LiveAccount]:
        """The live accounts of a user."""
        return [live for (owner, _), live in self._live.items() if owner == user]

    def too_many(self, live: LiveAccount) -> bool:
        """Whether this one is more than a user may have."""
        others = sum(1 for other in self.of(live.user) if other is not live and other.wanted)
        return others >= self._ground.settings.networks_per_user

    def ensure(self, live: LiveAccount) -> None:
        """Connect, if it is not connected."""
        live.used_at = self._ground.clock()
        self._supervisor(live).ensure()

    def release(self, live: LiveAccount, reason: str) -> None:
        """Nobody needs the session any more."""
        live.goodbye = reason
        if live in self._supervisors:
            self._supervisors[live].release(reason)

    def forget(self, live: LiveAccount) -> None:
        """Drop what is kept in memory of an account that is idle."""
        if live.state is SessionState.IDLE and not live.wanted:
            self._live.pop((live.user, live.network), None)
            self._supervisors.pop(live, None)

    def connected(self, live: LiveAccount, name: str) -> None:
        """Its session says that it is online."""
        self._supervisor(live).connected(name)

    def push(self, live: LiveAccount, chat: Chat, job: Job) -> None:
        """Queue a job in a chat's lane; a full lane fails it at once."""
        live.used_at = self._ground.clock()
        lane = live.lanes.get(chat)
        if lane is None:
            lane = Lane(live.online, self._ground.settings.lane_length, lambda: self._lane_done(live, chat))
            live.lanes[chat] = lane
        if not lane.push(job):
            job.failed(Reason.RATE_LIMITED, "Too many messages are waiting in this chat.")

    def release_idle(self) -> None:
        """Close the sessions that a chat once needed and nothing has needed for long. Called now and then."""
        before = self._ground.clock() - self._ground.settings.idle_seconds
        for live in self.all():
            if live.wanted or live.used_at > before:
                continue
            if live.state is SessionState.IDLE:
                self.forget(live)
            else:
                self.release(live, "")

    async def stop(self, reason: str) -> None:
        """Close every session, in good order."""
        for live in self._supervisors:
            live.goodbye = reason
        await asyncio.gather(*(supervisor.stop(reason) for supervisor in self._supervisors.values()))

    async def stop_one(self, live: LiveAccount, reason: str) -> bool:
        """Close one session and return when it is closed. False: there was none."""
        if live.state is SessionState.IDLE or live not in self._supervisors:
            return False
        live.goodbye = reason
        await self._supervisors[live].stop(reason)
        return True

    def is_registered(self, user: str) -> bool:
        """Whether the user has registered with this gateway or one of its networks."""
        return bool(self.registered.get(user))

    def refresh_watched(self, live: LiveAccount) -> None:
        """Tell the user which of the contacts in their roster came or went, as far as shared rooms show
        it."""
        if not live.watched:
            return
        seen = {occupant.contact for room in live.rooms.values() for occupant in room.occupants.values()}
        for contact, was_online in live.watched.items():
            online = contact in seen
            if online != was_online:
                live.watched[contact] = online
                puppet = self._ground.face.jid(ContactAddress(live.network, contact))
                self._ground.face.puppet_presence(live.user, puppet, online)

    # -- below

    def _lane_done(self, live: LiveAccount, chat: Chat) -> None:
        live.lanes.pop(chat, None)

    def _supervisor(self, live: LiveAccount) -> Supervisor:
        supervisor = self._supervisors.get(live)
        if supervisor is None:
            turn = self._turns.setdefault(
                live.network, asyncio.Semaphore(self._ground.settings.connects_at_once)
            )

            async def open_session() -> Session:
                return await self._open(live)

            supervisor = self._supervisors[live] = Supervisor(
                self._ground, live, self.watcher, open_session, turn
            )
        return supervisor

    async def _open(self, live: LiveAccount) -> Session:
        account = await self._account(live)
        return self._ground.backend.open(account, AccountHost(self._ground, live, account, self.sink))

    async def _account(self, live: LiveAccount) -> Account:
        """The account with what is registered for the gateway, overridden by what is for the network."""
        settings: dict[str, str] = {}
        secrets: dict[str, str] = {}
        for network in dict.fromkeys((NetworkId(""), live.network)):
            if network in self.registered.get(live.user, ()):
                found = await self._ground.store.registrations.get(self._ground.domain, live.user, network)
                if found is not None and found.locked:
                    raise AuthFailed("Your stored password cannot be read any more: please register again.")
                if found is not None:
                    settings.update({name: value for name, value in found.settings.items() if value})
                    secrets.update({name: value for name, value in found.secrets.items() if value})
        return Account(live.id, live.user, live.network, settings, secrets, live.nick)
