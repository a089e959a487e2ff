"""Registering with a gateway and its networks: as users ask for it, and as the admin says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

from bridge.api import ConnectionLost, FieldKind, Form, NetworkId, Reason, RegistrationRefused
from bridge.core.abilities import serving
from bridge.core.admission import Admission
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.register import Register
from bridge.core.roster import Roster
from bridge.core.storage import STORE_TEXT, asking_store
from bridge.core.values import SessionState
from bridge.store.claims import ClaimTaken, Holder
from bridge.store.errors import StoreDown
from bridge.store.registrations import Registration

DAY = 86_400_000_000
"""In microseconds."""

UNREGISTERED = "You have unregistered before this could be sent."

log = logging.getLogger(__name__)


class Registering:
    """Changes what is registered on one gateway, and sees to what follows from it."""

    def __init__(
        self, ground: Ground, register: Register, pool: SessionPool, admission: Admission, roster: Roster
    ) -> None:
        self._ground = ground
        self._rows = ground.store.registrations
        self._known = register
        self._pool = pool
        self._admission = admission
        self._roster = roster
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> None:
        """Read who is registered, and open the sessions that live as long as their registration."""
        for user, network in await self._known.load():
            if not self._ground.info.on_demand:
                self._pool.ensure(self._pool.live(user, network))

    async def register(
        self, user: str, network: NetworkId, values: Mapping[str, str], *, by_admin: bool = False
    ) -> bool:
        """Register, or change a registration: an empty secret keeps the one that is stored, and so does what
        only an admin may say, unless it is one who registers the user. Returns whether it is new: then the
        gateway asks to be in the user's roster. Raises `RegistrationRefused`, `Unavailable`."""
        refused = None if by_admin else self._refusal(user)
        if refused is not None:
            raise RegistrationRefused(refused)
        turn = self._turn(user)
        if turn.locked():
            raise RegistrationRefused("The last registration is still being tried. Wait a minute.")
        async with turn:
            new = await self._register(user, network, values, by_admin)
        if new:
            self._roster.ask(user, network, again=True)
        return new

    def _refusal(self, user: str) -> str | None:
        """Why a user may not register; None: they may."""
        refused = self._admission.of_user(user)
        if refused is not None:
            return refused.text
        if not self._ground.settings.registration_open and not self._pool.is_registered(user):
            return "Registration is closed on this gateway."
        return None

    async def _register(
        self, user: str, network: NetworkId, values: Mapping[str, str], by_admin: bool
    ) -> bool:
        with asking_store():
            found = await self._rows.get(self._ground.domain, user, network)
        form = self._ground.backend.registration(network, found.settings if found is not None else {})
        secret = _secrets(form)
        given = _given(form, values, found, by_admin)
        checked = await self._ground.backend.check_registration(network, given, self._ground.guard)
        settings = {name: value for name, value in checked.items() if name not in secret}
        secrets = {name: value for name, value in checked.items() if name in secret and value}
        try:
            with asking_store():
                await self._rows.put(
                    Registration(self._ground.domain, user, network, settings, secrets),
                    self._claims(network, settings),
                    None if by_admin else self._reserved_since(),
                )
        except ClaimTaken as error:
            raise RegistrationRefused(f"{error.name} is taken by somebody else here.") from error
        log.info("registered", extra={"account": self._ground.account_id(user, network)})
        await self._changed(user, network, settings)
        return found is None

    async def enrol(
        self,
        user: str,
        network: NetworkId,
        settings: Mapping[str, str],
        claims: Sequence[str] | None = None,
    ) -> None:
        """See `bridge.api.GatewayHost.enrol`."""
        user = user.lower()
        if "@" not in user or "/" in user:
            raise ValueError(f"{user!r} is not the bare JID of a user")
        secret = _secrets(self._ground.backend.registration(network, {})).intersection(settings)
        if secret:
            raise ValueError(f"{', '.join(secret)}: a secret cannot be given like this")
        try:
            async with self._turn(user):
                new = await self._enrol(user, network, settings, claims)
        except StoreDown as error:
            raise ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) from error
        self._roster.ask(user, network, again=new)

    async def _enrol(
        self, user: str, network: NetworkId, settings: Mapping[str, str], claims: Sequence[str] | None
    ) -> bool:
        domain, holder = self._ground.domain, Holder(user, network)
        found = await self._rows.get(domain, user, network)
        known = dict(found.settings) if found else {}
        merged = {**known, **settings}
        names = self._claims(network, merged) if claims is None else claims
        same = found is not None and merged == known
        if same and await self._ground.store.claims.of(domain, holder) == frozenset(names):
            return False
        for name, other in await self._rows.amend(domain, holder, merged, names):
            log.warning("%s: %s was %s's, and is %s's now: the admin says so", domain, name, other.user, user)
        if not same:
            log.info("enrolled by the admin", extra={"account": self._ground.account_id(user, network)})
            await self._changed(user, network, merged)
        return found is None

    async def unregister(self, user: str, network: NetworkId) -> bool:
        """Remove a registration; for the network `""` all that the gateway has of the user. False: there was
        none. Raises `Unavailable`."""
        networks = list(self._known.networks(user)) if network == "" else [network]
        was_registered = any(known in self._known.networks(user) for known in networks)
        for known in networks:
            with asking_store():
                await self._rows.remove(self._ground.domain, user, known)
            self._known.remove(user, known)
        for live in self._pool.of(user):
            self._follow(live)
            if not (live.registered or self._ground.info.on_demand):
                live.hold = False
                for lane in tuple(live.lanes.values()):
                    lane.abandon(Reason.GONE, UNREGISTERED)
            if not live.wanted or not (live.needed or self._ground.info.on_demand):
                await self._close(live)
        for known in networks:
            account = self._ground.account_id(user, known)
            with asking_store():
                await self._ground.store.cursors.forget(account)
                await self._ground.store.message_ids.forget(account)
        return was_registered

    # -- below

    def _turn(self, user: str) -> asyncio.Lock:
        """One registration of a user is made at a time: a trial may take a minute."""
        turn = self._turns.get(user)
        if turn is None:
            turn = self._turns[user] = asyncio.Lock()
        return turn

    def _claims(self, network: NetworkId, settings: Mapping[str, str]) -> Sequence[str]:
        backend = serving(self._ground.backend)
        return backend.claims(network, settings) if backend is not None else ()

    def _reserved_since(self) -> int:
        return time.time_ns() // 1000 - self._ground.settings.claim_days * DAY

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

    async def _changed(self, user: str, network: NetworkId, settings: Mapping[str, str]) -> None:
        """A registration has changed: sessions that wait for a login, or live by it, start anew."""
        self._known.put(user, network, settings)
        for live in self._pool.of(user):
            self._follow(live)
            if live.state is SessionState.NEEDS_LOGIN and (live.wanted or not self._ground.info.on_demand):
                self._pool.ensure(live)
        if not self._ground.info.on_demand:
            live = self._pool.live(user, network)
            if live.session is not None:
                await self._pool.stop_one(live, "")
            self._pool.ensure(live)


def _secrets(form: Form) -> frozenset[str]:
    return frozenset(field.name for field in form.fields if field.kind is FieldKind.SECRET)


def _given(
    form: Form, values: Mapping[str, str], found: Registration | None, by_admin: bool
) -> dict[str, str]:
    """What a registration comes to: what was given of what is asked, and what is known of the rest. Raises
    `RegistrationRefused`."""
    stored: Mapping[str, str] = found.settings if found is not None else {}
    given: dict[str, str] = {}
    for field in form.fields:
        if field.admin and not by_admin:
            given[field.name] = stored.get(field.name, field.default)
        elif field.name in values:
            given[field.name] = values[field.name]
    secrets = found.secrets if found is not None else {}
    moved = _moved(form, given, stored)
    for field in form.fields:
        if field.kind is FieldKind.SECRET:
            given[field.name] = given.get(field.name) or ("" if moved else secrets.get(field.name, ""))
        if field.required and not given.get(field.name):
            if field.admin and not by_admin:
                raise RegistrationRefused(f"{field.label} is missing: only an admin can fill that in.")
            raise RegistrationRefused(f"{field.label} is missing.", field.name)
    return given


def _moved(form: Form, given: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether secrets would go to another place than those that are known."""
    names = [field.name for field in form.fields if field.guarded]
    return any(given.get(name, "").strip().lower() != known.get(name, "").strip().lower() for name in names)
