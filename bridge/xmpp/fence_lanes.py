"""Knows what waits for its fence, in order: one lane for all users, or one for each where their clients are
asked, so that a client which does not answer holds up nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from msgspec import Struct, field

__all__ = ["Batch", "Lane", "Lanes", "Message"]


class Message(Struct, eq=False):
    """A message to a user (a bare JID). `batch` is None until it is written."""

    id: str
    xml: str
    user: str
    outcome: asyncio.Future[str]
    batch: Batch | None = None


class Batch(Struct, eq=False):
    """Written messages that share a fence: pings to these `clients`, or to the server if there are none.

    `asked` counts pings without an answer; not `open` any more: answered, or lost."""

    lane: Lane
    clients: tuple[str, ...]
    ids: list[str] = field(default_factory=list)
    asked: int = 0
    open: bool = True
    weak: bool = False
    in_lane: bool = True

    def drop(self, stanza_id: str) -> None:
        """This one was refused."""
        self.ids.remove(stanza_id)
        if self.in_lane:
            self.lane.less(1)


class Lane:
    """What goes to one user, or to all. `key` is the user, or ""."""

    def __init__(self, lanes: Lanes, key: str) -> None:
        self._lanes = lanes
        self.key = key
        self.waiting: deque[Message] = deque()
        self._gathering: deque[Batch] = deque()
        self._open: deque[Batch] = deque()
        self._under_way = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may be without its fence."""
        return self._under_way < self._lanes.window

    @property
    def idle(self) -> bool:
        """Nothing is here."""
        return not (self.waiting or self._gathering or self._open)

    def add(self, message: Message, clients: tuple[str, ...]) -> bool:
        """This one was written; whether its batch is worth a fence of its own now."""
        last = self._gathering[-1] if self._gathering else None
        if last is None or last.clients != clients:
            last = Batch(self, clients)
            self._gathering.append(last)
        message.batch = last
        last.ids.append(message.id)
        self.less(-1)
        return len(last.ids) >= self._lanes.batch_size

    def to_open(self) -> Batch | None:
        """The next batch whose fence may be opened."""
        if not self._gathering or len(self._open) >= self._lanes.open_fences:
            return None
        self._open.append(self._gathering.popleft())
        return self._open[-1]

    def finished(self) -> Iterator[Batch]:
        """Take out what is answered, in order."""
        while self._open and not self._open[0].open:
            done = self._open.popleft()
            done.in_lane = False
            self.less(len(done.ids))
            yield done

    def less(self, count: int) -> None:
        """So many fewer are under way."""
        self._under_way -= count
        self._lanes.under_way -= count

    def clear(self) -> None:
        """Nothing here will be answered any more."""
        for batch in self._open:
            batch.open = False


class Lanes:
    """All lanes of one fence; a lane is there as long as something is in it."""

    def __init__(self, batch_size: int, open_fences: int) -> None:
        self.batch_size = batch_size
        self.open_fences = open_fences
        self.window = batch_size * open_fences
        self.under_way = 0
        self._by_user = False
        self._lanes: dict[str, Lane] = {}

    def put(self, message: Message) -> Lane:
        """Let it wait in its lane."""
        lane = self._lane(message.user if self._by_user else "")
        lane.waiting.append(message)
        return lane

    def all(self) -> list[Lane]:
        """Every lane that is there."""
        return list(self._lanes.values())

    def part(self, by_user: bool) -> list[Lane]:
        """From now on a lane for each user, or one for all; what waits changes lanes, in order."""
        if by_user != self._by_user:
            self._by_user = by_user
            waiting = [message for lane in self.all() for message in lane.waiting]
            for lane in self.all():
                lane.waiting.clear()
            for message in waiting:
                self.put(message)
        return self.all()

    def tidy(self, lane: Lane) -> None:
        """Forget a lane with nothing in it."""
        if lane.idle and self._lanes.get(lane.key) is lane:
            del self._lanes[lane.key]

    def clear(self) -> None:
        """Forget all."""
        for lane in self.all():
            lane.clear()
        self._lanes.clear()
        self.under_way = 0

    def _lane(self, key: str) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self, key)
        return lane
