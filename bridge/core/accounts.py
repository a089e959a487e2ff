"""Accounts, as users see them: what is registered, connecting, asking how things stand."""

from __future__ import annotations

import asyncio

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
from bridge.core.pool import SessionPool
from bridge.core.register import Register
from bridge.core.registering import Registering
from bridge.core.storage import asking_store
from bridge.core.values import AccountStatus, Registered

QUERY_SECONDS = 30.0


class Accounts:
    """What users do with their accounts on one gateway."""

    def __init__(
        self,
        ground: Ground,
        register: Register,
        pool: SessionPool,
        admission: Admission,
        registering: Registering,
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._admission = admission
        self.is_registered = pool.is_registered
        self.known_settings = register.settings
        self.register = registering.register
        self.unregister = registering.unregister

    async def form(self, user: str, network: NetworkId, *, by_admin: bool = False) -> Form:
        """The registration form, filled in with what is known; secrets never are. Admins' own fields are for
        admins. Raises `Unavailable`."""
        with asking_store():
            found = await self._ground.store.registrations.get(self._ground.domain, user, network)
        known = dict(found.settings) if found else {}
        form = self._ground.backend.registration(network, known)
        fields = tuple(
            msgspec.structs.replace(field, default="") if field.kind is FieldKind.SECRET else field
            for field in form.fields
            if by_admin or not field.admin
        )
        return msgspec.structs.replace(form, fields=fields)

    async def settings(self, user: str) -> dict[str, str]:
        """What the user has registered with the gateway itself, without secrets. Raises `Unavailable`."""
        with asking_store():
            found = await self._ground.store.registrations.get(self._ground.domain, user, "")
        return {name: value for name, value in found.settings.items() if value} if found else {}

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
