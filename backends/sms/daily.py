"""Knows how many texts an account has sent today, also after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from bridge.api import ConnectionLost, Host

log = logging.getLogger(__name__)

CURSOR = "sent today"
SAVE_SECONDS = 1.0
AGAIN_SECONDS = 10.0


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


class Daily:
    """The texts (segments, each of which is paid for) of one account in a day of UTC; at most `most`.

    The count is saved within a second, not with each text: what a crash loses of it is little."""

    def __init__(self, host: Host, most: int, today: Callable[[], str] = _today) -> None:
        self._host = host
        self._most = most
        self._today = today
        self._day = today()
        self._sent = 0
        self._changed = asyncio.Event()

    @property
    def most(self) -> int:
        """So many a day."""
        return self._most

    @property
    def sent(self) -> int:
        """How many were sent today."""
        if self._day != (today := self._today()):
            self._day, self._sent = today, 0
        return self._sent

    async def load(self) -> None:
        """Go on from what was saved. Raises ConnectionLost while the database is out."""
        day, _, count = (await self._host.cursor(CURSOR) or "").partition(" ")
        if day == self._day and count.isdecimal():
            self._sent += int(count)

    def take(self, texts: int) -> bool:
        """Count some, if there is room for all of them."""
        if self.sent + texts > self._most:
            return False
        self._sent += texts
        self._changed.set()
        return True

    def give_back(self, texts: int) -> None:
        """They were not sent after all."""
        self._sent = max(0, self._sent - texts)
        self._changed.set()

    async def keep(self) -> None:
        """Save the count whenever it has changed, until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(SAVE_SECONDS)
            await self.save()

    async def save(self) -> None:
        """Save the count now, if it has changed. While the database is out it is tried again later."""
        if not self._changed.is_set():
            return
        self._changed.clear()
        try:
            await self._host.save(CURSOR, f"{self._day} {self._sent}")
        except ConnectionLost as error:
            log.info("the texts of today could not be counted: %s", error)
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._changed.set)
