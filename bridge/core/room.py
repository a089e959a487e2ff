"""One room as one account sees it: who is there, which of the user's resources are in it, what it is about.

Pure state; it knows no network, no store and no XMPP."""

from __future__ import annotations

import enum

from bridge.api import Occupant, OccupantId, RoomAddress, RoomChat
from bridge.core.commons import Commons
from bridge.core.values import HistoryRequest


class RoomState(enum.Enum):
    """Whether the account is in the room on its network."""

    OUT = "out"
    JOINING = "joining"
    JOINED = "joined"
    LOST = "lost"
    """It was in, the connection broke, and it will be joined again."""


JOINED = RoomState.JOINED
"""For where each message passes: an enum takes as long to find a member as three calls."""


class Room:
    """A room of an account.

    `resources` are the user's full JIDs that are in it, in order of joining; `waiting` those that asked and
    are not in yet. `kept`: the account stays in it while no resource is there. `remembered` were in when the
    connection broke (`lost_at`, on the core's clock), `away` left or vanished just now, which may be no more
    than a restart of their server; nobody brings these back. `occupant_ids` are the ids that were given out
    (XEP-0421), `moved_ids` those of them that came with somebody from another name. `newest` is the archive
    id of what was said last (or of before the account came): what comes next has a later one. `commons` is
    what this view has in common with those of other users; `attempt` numbers the tries to get in.
    """

    __slots__ = (
        "address",
        "archive_key",
        "attempt",
        "away",
        "chat",
        "commons",
        "display",
        "jid",
        "kept",
        "lost_at",
        "me",
        "moved_ids",
        "newest",
        "nick",
        "occupant_ids",
        "occupants",
        "password",
        "remembered",
        "resources",
        "state",
        "subject",
        "subject_by",
        "user",
        "waiting",
    )

    def __init__(self, user: str, jid: str, address: RoomAddress, commons: Commons | None = None) -> None:
        self.user = user
        self.jid = jid
        self.commons = commons or Commons(jid)
        self.address = address
        self.chat = RoomChat(address.room)
        self.display: str = address.room
        self.state = RoomState.OUT
        self.me = OccupantId("")
        self.nick = ""
        self.password = ""
        self.kept = False
        self.lost_at: float | None = None
        self.subject = ""
        self.subject_by = ""
        self.archive_key = 0
        self.newest = 0
        self.attempt = 0
        self.occupants: dict[OccupantId, Occupant] = {}
        self.occupant_ids: dict[OccupantId, str] = {}
        self.moved_ids: set[str] = set()
        self.resources: dict[str, None] = {}
        self.waiting: dict[str, HistoryRequest] = {}
        self.remembered: dict[str, None] = {}
        self.away: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"Room({self.jid!r}, {self.user!r}, {self.state.value})"

    @property
    def joined(self) -> bool:
        """Whether the account is in the room now."""
        return self.state is JOINED

    @property
    def wanted(self) -> bool:
        """Whether anybody wants the account to be in the room."""
        return bool(self.kept or self.resources or self.waiting or self.remembered or self.away)

    @property
    def myself(self) -> Occupant:
        """The account's own occupant. Only while joined."""
        return self.occupants[self.me]

    def entered(
        self, me: OccupantId, occupants: tuple[Occupant, ...], subject: str, by: str, display: str
    ) -> None:
        """The account is in: take the room's whole state."""
        if not self.joined:
            self._forget_ids()
        self.state = RoomState.JOINED
        self.commons.enter(self.user)
        self.me = me
        self.occupants = {occupant.name: occupant for occupant in occupants}
        if me not in self.occupants:
            self.occupants[me] = Occupant(name=me)
        self.subject, self.subject_by = subject, by
        if display:
            self.display = display

    def gone(self, state: RoomState) -> None:
        """The account is out: forget who was there."""
        self.state = state
        self.occupants = {}
        self._forget_ids()
        self.commons.leave(self.user)
        self.subject = self.subject_by = ""

    def add(self, occupant: Occupant) -> None:
        """Somebody came. Whoever still seems to have that name has gone without a word."""
        if occupant.name in self.occupants:
            self._forget_id(occupant.name)
        self.occupants[occupant.name] = occupant

    def rename(self, old: OccupantId, occupant: Occupant) -> Occupant | None:
        """Somebody has a new name, and keeps the id. Returns who it was, None if nobody had the old name."""
        before = self.occupants.pop(old, None)
        moved = self.occupant_ids.pop(old, None)
        self.occupants[occupant.name] = occupant
        if moved is not None:
            self.occupant_ids[occupant.name] = moved
            self.moved_ids.add(moved)
            self.commons.moved(old, occupant.name, moved)
        if old == self.me:
            self.me = occupant.name
        return before

    def remove(self, name: OccupantId) -> Occupant | None:
        """Somebody went. Returns who it was."""
        self._forget_id(name)
        return self.occupants.pop(name, None)

    def _forget_id(self, name: OccupantId) -> None:
        known = self.occupant_ids.pop(name, None)
        self.commons.gone(name, known)
        if known is not None:
            self.moved_ids.discard(known)

    def _forget_ids(self) -> None:
        self.occupant_ids.clear()
        self.moved_ids.clear()
