"""The pool of live accounts: their sessions' supervisors and their lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial

from bridge.api import Chat, ConnectionLost, ContactAddress, NetworkId, Reason, Session
from bridge.core.ground import Ground
from bridge.core.host import AccountHost, Sink
from bridge.core.lanes import Job, Lane
from bridge.core.live import LiveAccount
from bridge.core.register import Register
from bridge.core.supervisor import Supervisor, Watcher
from bridge.core.values import SessionState


class SessionPool:
    """All live accounts of one gateway. `sink` takes the events of their sessions, `watcher` hears how these
    fare; `register` says with which networks each user has registered."""

    sink: Sink
    watcher: Watcher

    def __init__(self, ground: Ground, register: Register) -> None:
        self._ground = ground
        self._register = register
        self._live: dict[tuple[str, NetworkId], LiveAccount] = {}
        self.by_place: Mapping[tuple[str, NetworkId], LiveAccount] = self._live
        """the accounts that are live, by user and network, for those who look often"""
        self._of_user: dict[str, dict[NetworkId, LiveAccount]] = {}
        self._supervisors: dict[LiveAccount, Supervisor] = {}
        self._turns: dict[NetworkId, asyncio.Semaphore] = {}

    def live(self, user: str, network: NetworkId) -> LiveAccount:
        """The account, made if it is not live yet."""
        live = self._live.get((user, network))
        if live is None:
            live = LiveAccount(self._ground, user, network)
            live.registered = network in self._register.networks(user)
            self._live[user, network] = live
            self._of_user.setdefault(user, {})[network] = live
        return live

    def peek(self, user: str, network: NetworkId) -> LiveAccount | None:
        """The account, if it is live."""
        return self._live.get((user, network))

    def all(self) -> Iterable[LiveAccount]:
        """Every live account."""
        return tuple(self._live.values())

    def of(self, user: str) -> list[LiveAccount]:
        """The live accounts of a user."""
        return list(self._of_user.get(user, {}).values())

    def too_many(self, live: LiveAccount) -> bool:
        """Whether this one is more than a user may have."""
        others = sum(
            1 for other in self.of(live.user) if other is not live and (other.wanted or _busy(other))
        )
        return others >= self._ground.settings.networks_per_user

    def ensure(self, live: LiveAccount) -> None:
        """Connect, if it is not connected."""
        live.used_at = self._ground.clock()
        live.parting = None
        live.end_grace()
        self._supervisor(live).ensure()

    def release(self, live: LiveAccount, reason: str) -> None:
        """Nobody needs the session any more."""
        live.goodbye = reason
        live.end_grace()
        if live in self._supervisors:
            self._supervisors[live].release(reason)

    def release_later(self, live: LiveAccount) -> None:
        """Nobody needs the session now, and perhaps somebody soon: keep it for the time of grace."""
        seconds = self._ground.settings.grace_seconds
        if live.session is None or seconds <= 0:
            self.release_when_done(live, "")
            return

        def over() -> None:
            live.grace = None
            if not live.needed:
                self.release_when_done(live, "")

        live.end_grace()
        live.grace = asyncio.get_running_loop().call_later(seconds, over)

    def release_when_done(self, live: LiveAccount, reason: str) -> None:
        """Nobody needs the session once what is under way is done."""
        if live.lanes:
            live.parting = reason
        else:
            self.release(live, reason)

    def forget(self, live: LiveAccount) -> None:
        """Drop what is kept in memory of an account that is idle."""
        if _busy(live) or live.wanted or self.peek(live.user, live.network) is not live:
            return
        del self._live[live.user, live.network]
        self._supervisors.pop(live, None)
        others = self._of_user[live.user]
        del others[live.network]
        if not others:
            del self._of_user[live.user]

    def connected(self, live: LiveAccount, name: str) -> None:
        """Its session says that it is online."""
        self._supervisor(live).connected(name)

    def push(self, live: LiveAccount, chat: Chat, job: Job) -> None:
        """Queue a job in a chat's lane; a full lane fails it at once."""
        live.used_at = self._ground.clock()
        lane = live.lanes.get(chat)
        if lane is None:
            lane = live.lanes[chat] = self._lane(live, chat)
        if not lane.push(job):
            job.failed(Reason.RATE_LIMITED, "Too many messages are waiting in this chat.")

    def release_idle(self) -> None:
        """Close the sessions that a chat once needed and nothing has needed for long. Called now and then."""
        before = self._ground.clock() - self._ground.settings.idle_seconds
        for live in self.all():
            if live.wanted or live.used_at > before:
                continue
            if _busy(live):
                self.release(live, "")
            else:
                self.forget(live)
        networks = {live.network for live in self.all()}
        for network in [network for network in self._turns if network not in networks]:
            del self._turns[network]

    async def stop(self, reason: str) -> None:
        """Close every session, in good order. What the lanes still hold stays in the store."""
        for live in self._supervisors:
            live.goodbye = reason
        await asyncio.gather(*(supervisor.stop(reason) for supervisor in self._supervisors.values()))
        for live in self.all():
            for lane in tuple(live.lanes.values()):
                lane.cancel()
            live.will_not_come(reason, Reason.NETWORK_DOWN)

    async def stop_one(self, live: LiveAccount, reason: str) -> bool:
        """Close one session and return when it is closed. False: there was none."""
        if not _busy(live) or live not in self._supervisors:
            return False
        live.goodbye = reason
        await self._supervisors[live].stop(reason)
        return True

    def is_registered(self, user: str) -> bool:
        """Whether the user has registered with this gateway or one of its networks."""
        return bool(self._register.networks(user))

    def refresh_watched(self, live: LiveAccount) -> None:
        """Tell the user which of the contacts in their roster came or went, as far as shared rooms show
        it."""
        if not live.watched or self._ground.info.contacts_online:
            return
        seen = {
            occupant.contact
            for room in live.rooms.values()
            for occupant in room.occupants.values()
            if occupant.contact in live.watched
        }
        for contact, was_online in live.watched.items():
            online = contact in seen or live.reported.get(contact, False)
            if online != was_online:
                live.watched[contact] = online
                puppet = self._ground.face.jid(ContactAddress(live.network, contact))
                self._ground.face.puppet_presence(live.user, puppet, online)

    # -- below

    def _lane(self, live: LiveAccount, chat: Chat) -> Lane:
        limit = self._ground.settings.lane_length
        return Lane(lambda: live.session, partial(self._online, live), limit, partial(self._done, live, chat))

    def _done(self, live: LiveAccount, chat: Chat, lane: Lane) -> None:
        if live.lanes.get(chat) is lane:
            del live.lanes[chat]
        if live.parting is not None and not live.lanes:
            text, live.parting = live.parting, None
            if not live.needed:
                self.release(live, text)

    async def _online(self, live: LiveAccount) -> Session:
        """The session for a lane: opened where nobody is at it, waited for where somebody is."""
        if live.state is SessionState.NEEDS_LOGIN:
            raise ConnectionLost(live.text, Reason.NOT_AUTHORIZED)
        if live.state is SessionState.IDLE and not self._ground.stopping:
            self.ensure(live)
        return await live.online()

    def _supervisor(self, live: LiveAccount) -> Supervisor:
        supervisor = self._supervisors.get(live)
        if supervisor is None:
            turn = self._turns.setdefault(
                live.network, asyncio.Semaphore(self._ground.settings.connects_at_once)
            )

            async def open_session() -> tuple[Session, AccountHost]:
                return await self._open(live)

            supervisor = self._supervisors[live] = Supervisor(
                self._ground, live, self.watcher, open_session, turn
            )
        return supervisor

    async def host(self, live: LiveAccount) -> AccountHost:
        """What the account's backend may ask of the bridge. Raises `AuthFailed`, `ConnectionLost`. Hot."""
        return AccountHost(self._ground, live, await self._register.known_account(live), self.sink)

    async def _open(self, live: LiveAccount) -> tuple[Session, AccountHost]:
        host = AccountHost(self._ground, live, await self._register.account(live), self.sink)
        return self._ground.backend.open(host.account, host), host


def _busy(live: LiveAccount) -> bool:
    return live.state not in (SessionState.IDLE, SessionState.NEEDS_LOGIN)
