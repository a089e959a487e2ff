"""One gateway domain: the services of the core put together, started and stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from itertools import count

from bridge.api import Backend, Capabilities, Chat, NetworkId, Refused, RoomAddress, RoomChat, RoomId
from bridge.core.absence import Absence
from bridge.core.accounts import Accounts
from bridge.core.admission import Admission
from bridge.core.entrance import Entrance
from bridge.core.events import Events
from bridge.core.ground import CoreSettings, Ground
from bridge.core.inbox import Inbox
from bridge.core.keeping import Residents, RoomKeeper
from bridge.core.messageids import KEPT_DAYS
from bridge.core.outbound import Outbound
from bridge.core.outbox import Outbox
from bridge.core.pool import SessionPool
from bridge.core.ports import Face
from bridge.core.register import Register
from bridge.core.registering import Registering
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomevents import RoomEvents
from bridge.core.roomregistry import RoomRegistry
from bridge.core.rooms import Rooms
from bridge.core.roster import Roster
from bridge.core.serving import Serving
from bridge.core.tasks import Tasks
from bridge.core.values import SessionState
from bridge.store.engine import Store
from bridge.store.room_resources import RoomResource

log = logging.getLogger(__name__)

HOUSEKEEPING_SECONDS = 60.0
PRUNE_MINUTES = 60
DEDUPE_DAYS = 30


class Gateway:
    """What the XMPP side of a domain talks to. Set `face` before `start`."""

    def __init__(
        self, domain: str, backend: Backend, store: Store, settings: CoreSettings | None = None
    ) -> None:
        self.domain = domain
        self.backend = backend
        self.info = backend.info
        self.settings = settings or CoreSettings()
        self._ground = ground = Ground(domain, backend, store, self.settings)
        self._tasks = tasks = Tasks()
        register = Register(ground)
        self._pool = pool = SessionPool(ground, register)
        self._admission = admission = Admission(ground, pool)
        self._archive = archive = RoomArchive(ground)
        self._residents = residents = Residents(ground)
        self._returning: Sequence[RoomResource] = ()
        registry = RoomRegistry(ground, pool, residents)
        self._entrance = entrance = Entrance(ground, pool, registry, archive, tasks)
        self._keeper = keeper = RoomKeeper(ground, tasks)
        self._absence = absence = Absence(ground, registry, entrance, tasks)
        self.rooms = Rooms(ground, pool, registry, entrance, absence, archive, keeper, admission)
        room_events = RoomEvents(ground, pool, self.rooms, entrance, archive)
        self.roster = Roster(ground, pool, self.rooms, tasks, admission)
        self._registering = Registering(ground, register, pool, admission, self.roster)
        self.accounts = Accounts(ground, register, pool, admission, self._registering)
        self._inbox = Inbox(ground, tasks)
        self._outbox = Outbox(ground, pool, self._inbox, tasks)
        self.outbound = Outbound(ground, pool, self._outbox, room_events, archive, admission)
        self._serving = Serving(ground, pool, self._registering, tasks)
        self._registry = registry
        self._events = Events(ground, pool, room_events, entrance, self.roster, self._inbox, tasks)
        pool.sink = self._events.take
        pool.watcher = self._events

    @property
    def face(self) -> Face:
        """The XMPP side."""
        return self._ground.face

    @face.setter
    def face(self, face: Face) -> None:
        self._ground.face = face

    @property
    def link_is_up(self) -> bool:
        """Whether the XMPP server is connected."""
        return self._ground.link_is_up

    def capabilities(self, user: str, network: NetworkId, chat: Chat) -> Capabilities:
        """What a user's chat on a network can carry now."""
        live = self._pool.peek(user, network)
        if live is not None:
            return live.capabilities(chat)
        return self.info.room_features if isinstance(chat, RoomChat) else self.info.contact_features

    def refusal(self, user: str) -> Refused | None:
        """Why a user (a bare JID) may have nothing to do with this gateway; None for those who may."""
        return self._admission.of_user(user)

    def users(self) -> list[str]:
        """The bare JIDs of those who have sessions now."""
        return sorted({live.user for live in self._pool.all() if live.state is not SessionState.IDLE})

    def counts(self) -> dict[str, int]:
        """How much is going on: `sessions` that are or want to be connected, `rooms` of all accounts,
        `clients` in them, `lanes` with something to do, `undelivered` messages whose fence is not settled."""
        live = list(self._pool.all())
        rooms = list(self._registry.all())
        return {
            "sessions": sum(1 for each in live if each.state is not SessionState.IDLE),
            "rooms": len(rooms),
            "clients": sum(len(room.resources) for room in rooms),
            "lanes": sum(len(each.lanes) for each in live),
            "undelivered": self._inbox.unsettled,
        }

    async def start(self) -> None:
        """Take up what was going on before: registrations, subscriptions, kept rooms, unsettled messages."""
        await self._ground.load_salt()
        await self.roster.load()
        await self._registering.load()
        for kept in await self._keeper.list():
            address = RoomAddress(NetworkId(kept.network), RoomId(kept.room))
            self.rooms.restore(kept.user, address, kept.nick, kept.password)
        self._returning = await self._residents.load()
        await self._outbox.resume()
        self._serving.start()
        self._tasks.start(self._keep_house(), "housekeeping")

    async def stop(self, reason: str) -> None:
        """Close every session in good order; at most about 3 s."""
        self._ground.stopping = True
        self.roster.shutdown()
        await self._pool.stop(reason)
        self._outbox.stop()
        await self._tasks.stop()

    def link_up(self) -> None:
        """The XMPP server is connected (again)."""
        self._ground.link_is_up = True
        self._ground.linked.set()
        self._inbox.link_up()
        self._outbox.link_up()
        self.roster.link_up()
        self._absence.link_up()
        for room in self._registry.all():
            for resource in tuple(room.resources):
                self._entrance.show_again(room, resource)
        self._bring_back()

    def _bring_back(self) -> None:
        """Whoever was in a room before this start is again, now that they can be told how it goes."""
        returning, self._returning = self._returning, ()
        for row in returning:
            address = RoomAddress(NetworkId(row.network), RoomId(row.room))
            self.rooms.bring_back(row.user, address, row.nick, row.resource)

    def link_down(self, reason: str) -> None:
        """The XMPP server is gone. Sessions to foreign networks stay up."""
        log.info("XMPP link down: %s", reason, extra={"gateway": self.domain})
        self._ground.link_is_up = False
        self._ground.linked.clear()
        self._entrance.link_down()
        self._absence.link_down()

    async def _keep_house(self) -> None:
        for minutes in count(1):
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            try:
                self._pool.release_idle()
                self.outbound.forget_idle()
                if minutes % PRUNE_MINUTES == 0:
                    await self._residents.mark_alive()
                    await self._prune()
            except Exception:
                log.exception("housekeeping failed", extra={"gateway": self.domain})

    async def _prune(self) -> None:
        now = int(time.time() * 1_000_000)
        store = self._ground.store
        await store.inbox.prune(now - DEDUPE_DAYS * 86_400_000_000)
        await store.outbox.prune(now - DEDUPE_DAYS * 86_400_000_000)
        await store.message_ids.prune(now - KEPT_DAYS * 86_400_000_000)
        await store.claims.prune(now - self.settings.claim_days * 86_400_000_000)
        if self.settings.archive_days:
            await store.archive.prune(now - self.settings.archive_days * 86_400_000_000)
