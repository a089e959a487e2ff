"""A carrier that takes what it is told to take, for tests of what stands before carriers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from backends.sms.carrier import Desk, NotPossible
from backends.sms.values import Outgoing
from bridge.api import Capabilities, Content, MessageId, Outcome, Sent, SentPart


class ScriptedCarrier:
    """`sent` are the texts that came to be sent, `answer` says what becomes of each. A text of more than
    `longest` characters cannot be sent; ten characters are a segment."""

    capabilities = Capabilities()

    def __init__(self, longest: int = 1000) -> None:
        self.sent: list[Outgoing] = []
        self.longest = longest
        self.answer: Callable[[Outgoing], Outcome] = _taken

    def segments(self, text: str) -> int:
        if len(text) > self.longest:
            raise NotPossible(f"More than {self.longest} characters cannot be sent.")
        return -(-len(text) // 10)

    async def run(self, desk: Desk) -> None:
        await asyncio.Event().wait()

    async def send(self, outgoing: Outgoing) -> Outcome:
        self.sent.append(outgoing)
        return self.answer(outgoing)


def _taken(outgoing: Outgoing) -> Outcome:
    return Sent((SentPart(MessageId(f"main {outgoing.key}"), Content(outgoing.text)),))
