"""What all services of one gateway stand on: the domain, the backend, the store, the face, the admin's
settings."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import count

import msgspec

from bridge.api import AccountId, Backend, BackendInfo, NetworkId, Occupant, OccupantId
from bridge.core.messageids import MessageIds
from bridge.core.netguard import NetworkGuard
from bridge.core.ports import Face
from bridge.core.room import Room
from bridge.core.sentids import Senders
from bridge.store.engine import Store


class CoreSettings(msgspec.Struct, frozen=True):
    """The admin's settings for one gateway. Every quota has a limit.

    `message_rate`/`message_burst` are messages per second and at once, per user; `lane_length` how many may
    wait in one chat; `keep_archive`: room messages are kept, for `archive_days` (0: for good).
    An account leaves a room `linger_seconds` after its last user went offline (a Prosody that stops says so
    of its clients up to 6 s before it closes the component's stream), and is disconnected with the last room;
    one that was not let in or was put out stays connected for another `grace_seconds`. After the XMPP server
    was away, users have `return_seconds` to come back. A name that an account gave up is nobody else's for
    `claim_days`: what is still sent there is not for others.
    """

    allow_private_networks: bool = False
    registration_required: bool = False
    registration_open: bool = True
    allowed_users: tuple[str, ...] = ("*",)
    admins: tuple[str, ...] = ()
    keep_archive: bool = True
    archive_days: int = 90
    rooms_per_user: int = 200
    networks_per_user: int = 20
    message_rate: float = 20.0
    message_burst: int = 200
    lane_length: int = 500
    connects_at_once: int = 8
    idle_seconds: float = 900.0
    join_seconds: float = 60.0
    linger_seconds: float = 8.0
    grace_seconds: float = 60.0
    return_seconds: float = 300.0
    claim_days: int = 30


class StanzaIds:
    """Unique ids for stanzas that start here: a prefix of this start and a counter."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self._prefix = "b" + os.urandom(6).hex() + "-"
        self._count = count(1)

    def __call__(self) -> str:
        return self._prefix + str(next(self._count))


class Ground:
    """Held by every service of one gateway; it has no behaviour of its own. `turn` is held by the one account
    of those held back that goes on next."""

    __slots__ = (
        "backend",
        "chance",
        "clock",
        "domain",
        "face",
        "guard",
        "info",
        "link_is_up",
        "linked",
        "message_ids",
        "salt",
        "senders",
        "settings",
        "stanza_id",
        "stopping",
        "store",
        "turn",
    )

    face: Face

    def __init__(self, domain: str, backend: Backend, store: Store, settings: CoreSettings) -> None:
        self.domain = domain
        self.backend = backend
        self.info: BackendInfo = backend.info
        self.store = store
        self.settings = settings
        self.guard = NetworkGuard(private=settings.allow_private_networks)
        self.clock: Callable[[], float] = time.monotonic
        self.chance: Callable[[], float] = random.random
        self.stanza_id = StanzaIds()
        self.link_is_up = False
        self.linked = asyncio.Event()
        self.stopping = False
        self.turn = asyncio.Lock()
        self.salt = b""
        self.message_ids = MessageIds(store.message_ids)
        self.senders = Senders()

    def occupant_id(self, room: Room, name: OccupantId) -> str:
        """An id that tells nothing of who it is (XEP-0421 §3), stays with an occupant while the name changes,
        and is nobody else's: a name alone says nothing, since anybody may take it later."""
        known = room.occupant_ids.get(name)
        if known is None:
            occupant = room.occupants.get(name)
            if occupant is None:
                return self._hashed(room, "outside", name)
            known = room.occupant_ids[name] = self._identity(room, occupant)
        return known

    def identify_all(self, room: Room) -> None:
        """Give all who are in a room their `occupant_id`: they are about to be shown."""
        ids, stays, me = room.occupant_ids, room.commons.stays, room.me
        for name, occupant in room.occupants.items():
            if name not in ids:
                unknown = not occupant.stable and not occupant.real and name != me
                ids[name] = (unknown and stays.get(name)) or self._identity(room, occupant)

    def _identity(self, room: Room, occupant: Occupant) -> str:
        """By what is surest: the user's own account, an account of the network's, the name at that address.
        Where none is known, it lasts for this one stay, for all users who see it."""
        if occupant.name == room.me:
            return self._hashed(room, "user", room.user)
        if occupant.stable:
            return self._hashed(room, "account", occupant.stable)
        if occupant.real:
            found = self._hashed(room, "address", f"{occupant.name}\0{occupant.real}")
            if found not in room.moved_ids:
                return found
        stays = room.commons.stays
        known = stays.get(occupant.name)
        if known is None:
            known = stays[occupant.name] = self._hashed(room, "stay", f"{occupant.name}\0{self.stanza_id()}")
        return known

    def _hashed(self, room: Room, kind: str, who: str) -> str:
        return _digest(f"{room.jid}\0{kind}\0{who}", self.salt)

    async def load_salt(self) -> None:
        """Read this installation's key for occupant ids, made at its first start."""
        found = await self.store.cursors.get("", "occupant-salt")
        if found is None:
            found = os.urandom(32).hex()
            await self.store.cursors.put_soon("", "occupant-salt", found)
        self.salt = bytes.fromhex(found)

    def account_id(self, user: str, network: NetworkId) -> AccountId:
        """The id of one user's use of one network through this gateway."""
        return AccountId(f"{self.domain} {user} {network}")


@lru_cache(4096)
def _digest(text: str, key: bytes) -> str:
    """The same object for all users who see the same person."""
    return hashlib.blake2b(text.encode(), key=key, digest_size=15).hexdigest()
