"""Accounts, as users see them: registering, connecting, asking how things stand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from bridge.api import (
    Answer,
    ConnectionLost,
    FieldKind,
    Form,
    NetworkId,
    Query,
    QueryFailed,
    Reason,
    RegistrationRefused,
)
from bridge.core.admission import Admission
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.register import Register
from bridge.core.serving import serving
from bridge.core.storage import asking_store
from bridge.core.values import AccountStatus, Registered, SessionState
from bridge.store.claims import ClaimTaken
from bridge.store.registrations import Registration

log = logging.getLogger(__name__)

QUERY_SECONDS = 30.0


class Accounts:
    """What users do with their accounts on one gateway."""

    def __init__(self, ground: Ground, register: Register, pool: SessionPool, admission: Admission) -> None:
        self._ground = ground
        self._known = register
        self._pool = pool
        self._admission = admission
        self._registering: set[str] = set()
        self.is_registered = pool.is_registered

    async def load(self) -> None:
        """Read who is registered, and open the sessions that live as long as their registration."""
        for user, network in await self._known.load():
            if not self._ground.info.on_demand:
                self._pool.ensure(self._pool.live(user, network))

    async def form(self, user: str, network: NetworkId) -> Form:
        """The registration form, filled in with what is known; secrets never are. Raises `Unavailable`."""
        with asking_store():
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
        `RegistrationRefused`, `Unavailable`."""
        refused = self._admission.of_user(user)
        if refused is not None:
            raise RegistrationRefused(refused.text)
        if user in self._registering:
            raise RegistrationRefused("Your last registration is still being tried. Wait a minute.")
        self._registering.add(user)
        try:
            await self._register(user, network, values)
        finally:
            self._registering.discard(user)

    async def _register(self, user: str, network: NetworkId, values: Mapping[str, str]) -> None:
        if not self._ground.settings.registration_open and not self.is_registered(user):
            raise RegistrationRefused("Registration is closed on this gateway.")
        registrations = self._ground.store.registrations
        with asking_store():
            found = await registrations.get(self._ground.domain, user, network)
        old = dict(found.secrets) if found else {}
        form = self._ground.backend.registration(network, {})
        secret = {field.name for field in form.fields if field.kind is FieldKind.SECRET}
        known = {field.name for field in form.fields}
        given = {name: value for name, value in values.items() if name in known}
        if found is None or _moved(form, given, found.settings):
            old = {}
        for name in secret:
            given[name] = given.get(name) or old.get(name, "")
        for field in form.fields:
            if field.required and not given.get(field.name):
                raise RegistrationRefused(f"{field.label} is missing.", field.name)
        checked = await self._ground.backend.check_registration(network, given, self._ground.guard)
        settings = {name: value for name, value in checked.items() if name not in secret}
        secrets = {name: value for name, value in checked.items() if name in secret and value}
        backend = serving(self._ground.backend)
        claims = backend.claims(network, settings) if backend is not None else ()
        try:
            with asking_store():
                await registrations.put(
                    Registration(self._ground.domain, user, network, settings, secrets), claims
                )
        except ClaimTaken as error:
            raise RegistrationRefused(f"{error.name} is taken by somebody else here.") from error
        self._known.put(user, network)
        log.info("registered", extra={"account": self._ground.account_id(user, network)})
        await self._reopen(user, network)

    async def unregister(self, user: str, network: NetworkId) -> bool:
        """Remove a registration; for the network `""` all that the gateway has of the user. False: there was
        none. Raises `Unavailable`."""
        networks = list(self._known.networks(user)) if network == "" else [network]
        was_registered = any(known in self._known.networks(user) for known in networks)
        for known in networks:
            with asking_store():
                await self._ground.store.registrations.remove(self._ground.domain, user, known)
            self._known.remove(user, known)
        for live in self._pool.of(user):
            self._follow(live)
            if not live.wanted:
                await self._close(live)
        for known in networks:
            account = self._ground.account_id(user, known)
            with asking_store():
                await self._ground.store.cursors.forget(account)
                await self._ground.store.message_ids.forget(account)
        return was_registered

    def _follow(self, live: LiveAccount) -> None:
        """A registration of its user has changed."""
        live.registered = live.network in self._known.networks(live.user)
        live.registration_changed()

    async def _close(self, live: LiveAccount) -> None:
        """Nothing needs the session. One that lives by its registration is over before that is forgotten."""
        if self._ground.info.on_demand:
            self._pool.release(live, "")
        else:
            await self._pool.stop_one(live, "")

    async def registrations(self, user: str) -> list[Registered]:
        """What the user has registered, without secrets. Raises `Unavailable`."""
        with asking_store():
            rows = await self._ground.store.registrations.list_for(self._ground.domain, user)
        return [Registered(row.network, dict(row.settings)) for row in rows]

    def status(self, user: str) -> list[AccountStatus]:
        """How the user's accounts stand."""
        return [live.status() for live in self._pool.of(user)]

    def connect(self, user: str, network: NetworkId) -> None:
        """Connect, and stay connected until told otherwise. Raises `RegistrationRefused`."""
        live = self._pool.live(user, network)
        refused = self._admission.to_network(live)
        if refused is not None:
            raise RegistrationRefused(refused.text)
        live.hold = True
        self._pool.ensure(live)

    async def disconnect(self, user: str, network: NetworkId, text: str) -> bool:
        """Leave a network. False: there was no session."""
        live = self._pool.peek(user, network)
        if live is None:
            return False
        live.hold = False
        return await self._pool.stop_one(live, text)

    async def query(self, user: str, network: NetworkId, query: Query) -> Answer:
        """Ask the network something. Raises `QueryFailed`."""
        live = self._pool.peek(user, network)
        if live is None or live.session is None:
            raise QueryFailed(Reason.OFFLINE, "Not connected to this network.")
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                return await live.session.query(query)
        except TimeoutError as error:
            raise QueryFailed(Reason.TIMEOUT, "The network did not answer.") from error
        except ConnectionLost as error:
            raise QueryFailed(error.reason, str(error)) from error

    async def _reopen(self, user: str, network: NetworkId) -> None:
        """A registration has changed: sessions that wait for a login, or live by it, start anew."""
        for live in self._pool.of(user):
            self._follow(live)
            if live.state is SessionState.NEEDS_LOGIN and (live.wanted or not self._ground.info.on_demand):
                self._pool.ensure(live)
        if not self._ground.info.on_demand:
            live = self._pool.live(user, network)
            if live.session is not None:
                await self._pool.stop_one(live, "")
            self._pool.ensure(live)


def _moved(form: Form, given: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether secrets would go to another place than those that are known."""
    names = [field.name for field in form.fields if field.guarded]
    return any(given.get(name, "").strip().lower() != known.get(name, "").strip().lower() for name in names)
