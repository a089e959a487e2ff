"""Which attempts are counted together. A count has to be on disk before its message goes out, and that is
nearly all that a message to a contact costs: so where the last ones went out without a wait, the next few are
counted at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

from bridge.store.queues import Outbox

MOST = 16
"""After a crash, so many messages of a chat at most are told as of unknown outcome though only one was under
way."""

QUICK_SECONDS = 0.05


class Ahead:
    """The kept messages of one chat, oldest first, by row. Each is counted before its turn, some together."""

    __slots__ = ("_began", "_clock", "_counted", "_rows", "_under_way", "_waiting", "_window")

    def __init__(self, rows: Outbox, clock: Callable[[], float]) -> None:
        self._rows = rows
        self._clock = clock
        self._waiting: deque[int] = deque()
        self._counted: set[int] = set()
        self._window = 1
        self._under_way: int | None = None
        self._began = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, row: int, *, counted: bool = False) -> None:
        """One more, behind the others. `counted`: its attempt was counted when it was kept."""
        self._waiting.append(row)
        if counted:
            self._counted.add(row)

    def remove(self, row: int) -> None:
        """That one has come to its end, whichever."""
        self._waiting.remove(row)
        self._counted.discard(row)

    async def begin(self, row: int) -> None:
        """An attempt begins: return when it is counted."""
        self._under_way = row
        if row not in self._counted:
            if self._waiting[0] == row:
                self._counted.update(islice(self._waiting, self._window))
            self._counted.add(row)
            await self._rows.attempt(row, [other for other in self._counted if other != row])
        self._began = self._clock()

    def end(self, row: int, *, sent: bool) -> None:
        """The attempt is over. One that was slow, or did not get through, is no sign that the next ones will:
        they are counted one by one again."""
        self._under_way = None
        self._counted.discard(row)
        if sent and self._clock() - self._began < QUICK_SECONDS:
            if not self._counted:
                self._window = min(2 * self._window, MOST)
        else:
            self._window = 1
            self.put_back()

    def put_back(self) -> None:
        """Those that are counted and not under way are as before: a restart sends them."""
        early = [row for row in self._counted if row != self._under_way]
        self._counted.difference_update(early)
        self._rows.put_back(early)
