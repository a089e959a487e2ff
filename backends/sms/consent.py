"""Knows which dear messages are to go out all the same: those that their user has said twice."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict

from bridge.api import ContactId, Host, SendMessage

CURSOR = "said twice"
CONFIRM_SECONDS = 600.0
MOST_ASKED = 50
MOST_SURE = 50


class Consent:
    """The consents of one account. One that was given holds for every try of that message, also after a
    restart."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._asked: OrderedDict[bytes, float] = OrderedDict()
        self._sure: OrderedDict[str, None] | None = None

    async def given(self, command: SendMessage, contact: ContactId, text: str) -> bool:
        """Whether a message is to go out. False: its user is to be asked, and says it again if it is. Raises
        ConnectionLost while the database is out."""
        sure = await self._known()
        name = _hash(f"{command.key} {command.said_at}").hex()
        if name in sure:
            return True
        key, now = _hash(f"{contact}\0{text}"), time.monotonic()
        asked = self._asked.get(key)
        if asked is None or now - asked >= CONFIRM_SECONDS:
            self._asked[key] = now
            self._asked.move_to_end(key)
            while len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)
            return False
        sure[name] = None
        while len(sure) > MOST_SURE:
            sure.popitem(last=False)
        await self._host.save(CURSOR, " ".join(sure))
        del self._asked[key]
        return True

    async def _known(self) -> OrderedDict[str, None]:
        if self._sure is None:
            names = (await self._host.cursor(CURSOR) or "").split()
            self._sure = OrderedDict.fromkeys(names)
        return self._sure


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()
