"""Knows how many mails each account may send in an hour."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from bridge.api import AccountId

HOUR = 3600.0


class Hourly:
    """The mails of all accounts of one gateway in the last hour. `most` 0: any number."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._sent: dict[AccountId, deque[float]] = {}

    def full(self, account: AccountId) -> bool:
        """Whether the account may send no more now."""
        sent, now = self._sent.get(account), self._clock()
        while sent and sent[0] < now - HOUR:
            sent.popleft()
        if sent is not None and not sent:
            del self._sent[account]
        return bool(sent and 0 < self._most <= len(sent))

    def count(self, account: AccountId) -> None:
        """It has sent one."""
        if self._most:
            self._sent.setdefault(account, deque(maxlen=self._most)).append(self._clock())
