"""Accounts: who is registered, which are live, and their sessions' supervisors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

import msgspec

from bridge.api import (
    Account,
    Answer,
    AuthFailed,
    Chat,
    ConnectionLost,
    ContactAddress,
    FieldKind,
    Form,
    NetworkId,
    Query,
    QueryFailed,
    Reason,
    RegistrationRefused,
    Session,
)
from bridge.core.ground import Ground
from bridge.core.host import AccountHost, Sink
from bridge.core.lanes import Job, Lane
from bridge.core.live import LiveAccount
from bridge.core.supervisor import Supervisor, Watcher
from bridge.core.values import AccountStatus, Registered, SessionState
from bridge.store.registrations import Registration

log = logging.getLogger(__name__)

QUERY_SECONDS = 30.0


class Accounts:
    """All accounts of one gateway. `sink` takes the events of their sessions, `watcher` hears how these fare."""

    sink: Sink
    watcher: Watcher

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._live: dict[tuple[str, NetworkId], LiveAccount] = {}
        self._supervisors: dict[LiveAccount, Supervisor] = {}
        self._turns: dict[NetworkId, asyncio.Semaphore] = {}
        self._registered: dict[str, set[NetworkId]] = {}

    async def load(self) -> None:
        """Read who is registered, and open the sessions that live as long as their registration."""
        for row in await self._ground.store.registrations.list(self._ground.domain):
            self._registered.setdefault(row.user, set()).add(NetworkId(row.network))
            if not self._ground.info.on_demand:
                self.ensure(self.live(row.user, NetworkId(row.network)))

    # -- live accounts

    def live(self, user: str, network: NetworkId) -> LiveAccount:
        """The account, made if it is not live yet."""
        live = self._live.get((user, network))
        if live is None:
            live = LiveAccount(self._ground, user, network)
            live.registered = network in self._registered.get(user, ())
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
        await asyncio.gather(*(supervisor.stop(reason) for supervisor in self._supervisors.values()))

    # -- what users do

    def is_registered(self, user: str) -> bool:
        """Whether the user has registered with this gateway or one of its networks."""
        return bool(self._registered.get(user))

    async def form(self, user: str, network: NetworkId) -> Form:
        """The registration form, filled in with what is known; secrets never are."""
        found = await self._ground.store.registrations.get(self._ground.domain, user, network)
        known = dict(found.settings) if found else {}
        form = self._ground.backend.registration(network, known)
        fields = tuple(
            msgspec.structs.replace(field, default="") if field.kind is FieldKind.SECRET else field
            for field in form.fields
        )
        return msgspec.structs.replace(form, fields=fields)

    async def register(self, user: str, network: NetworkId, values: Mapping[str, str]) -> None:
        """Register, or change a registration: an empty secret keeps the one that is stored. Raises
        `RegistrationRefused`."""
        if not self._ground.settings.registration_open and not self.is_registered(user):
            raise RegistrationRefused("Registration is closed on this gateway.")
        registrations = self._ground.store.registrations
        found = await registrations.get(self._ground.domain, user, network)
        old = dict(found.secrets) if found else {}
        form = self._ground.backend.registration(network, {})
        secret = {field.name for field in form.fields if field.kind is FieldKind.SECRET}
        known = {field.name for field in form.fields}
        given = {name: value for name, value in values.items() if name in known}
        for name in secret:
            given[name] = given.get(name) or old.get(name, "")
        for field in form.fields:
            if field.required and not given.get(field.name):
                raise RegistrationRefused(f"{field.label} is missing.", field.name)
        checked = await self._ground.backend.check_registration(network, given)
        settings = {name: value for name, value in checked.items() if name not in secret}
        secrets = {name: value for name, value in checked.items() if name in secret and value}
        await registrations.put(Registration(self._ground.domain, user, network, settings, secrets))
        self._registered.setdefault(user, set()).add(network)
        log.info("registered", extra={"account": self._ground.account_id(user, network)})
        await self._reopen(user, network)

    async def unregister(self, user: str, network: NetworkId) -> bool:
        """Remove a registration; for the network `""` all that the gateway has of the user. False: there was none."""
        networks = list(self._registered.get(user, ())) if network == "" else [network]
        was_registered = any(known in self._registered.get(user, ()) for known in networks)
        for known in networks:
            await self._ground.store.registrations.remove(self._ground.domain, user, known)
            self._registered.get(user, set()).discard(known)
        if not self._registered.get(user):
            self._registered.pop(user, None)
        for live in self.of(user):
            live.registered = live.network in self._registered.get(user, ())
            if not live.wanted:
                self.release(live, "")
        return was_registered

    async def registrations(self, user: str) -> list[Registered]:
        """What the user has registered, without secrets."""
        rows = await self._ground.store.registrations.list_for(self._ground.domain, user)
        return [Registered(row.network, dict(row.settings)) for row in rows]

    def status(self, user: str) -> list[AccountStatus]:
        """How the user's accounts stand."""
        return [live.status() for live in self.of(user)]

    def connect(self, user: str, network: NetworkId) -> None:
        """Connect, and stay connected until told otherwise."""
        live = self.live(user, network)
        live.hold = True
        self.ensure(live)

    async def disconnect(self, user: str, network: NetworkId, text: str) -> bool:
        """Leave a network. False: there was no session."""
        live = self.peek(user, network)
        if live is None or live.state is SessionState.IDLE or live not in self._supervisors:
            return False
        live.hold = False
        await self._supervisors[live].stop(text)
        return True

    async def query(self, user: str, network: NetworkId, query: Query) -> Answer:
        """Ask the network something. Raises `QueryFailed`."""
        live = self.peek(user, network)
        if live is None or live.session is None:
            raise QueryFailed(Reason.OFFLINE, "Not connected to this network.")
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                return await live.session.query(query)
        except TimeoutError as error:
            raise QueryFailed(Reason.TIMEOUT, "The network did not answer.") from error
        except ConnectionLost as error:
            raise QueryFailed(error.reason, str(error)) from error

    def refresh_watched(self, live: LiveAccount) -> None:
        """Tell the user which of the contacts in their roster came or went, as far as shared rooms show it."""
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
            if network in self._registered.get(live.user, ()):
                found = await self._ground.store.registrations.get(self._ground.domain, live.user, network)
                if found is not None and found.locked:
                    raise AuthFailed("Your stored password cannot be read any more: please register again.")
                if found is not None:
                    settings.update({name: value for name, value in found.settings.items() if value})
                    secrets.update({name: value for name, value in found.secrets.items() if value})
        return Account(live.id, live.user, live.network, settings, secrets, live.nick)

    async def _reopen(self, user: str, network: NetworkId) -> None:
        """A registration has changed: sessions that wait for a login, or live by it, start anew."""
        for live in self.of(user):
            live.registered = live.network in self._registered.get(user, ())
            if live.state is SessionState.NEEDS_LOGIN and (live.wanted or not self._ground.info.on_demand):
                self.ensure(live)
        if not self._ground.info.on_demand:
            live = self.live(user, network)
            if live.session is not None:
                await self._supervisors[live].stop("")
            self.ensure(live)
