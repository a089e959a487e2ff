"""The kinds of work that lanes carry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from bridge.api import (
    Command,
    Later,
    MarkDisplayed,
    MessageId,
    Outcome,
    Reason,
    Refused,
    RetractMessage,
    SendReceipt,
    Session,
    Unknown,
)

Answer = Callable[[Outcome], None]

LATER_LIMIT = 5
"""How often a network may answer `Later` to a command that is not kept, before it counts as refused."""


class CommandJob:
    """One command whose loss is no message's loss (joining, a subject, a nick)."""

    __slots__ = ("_answer", "_command", "_tries")

    def __init__(self, command: Command, answer: Answer | None = None) -> None:
        self._command = command
        self._answer = answer
        self._tries = 0

    async def run(self, session: Session) -> float | None:
        """Execute it, again after a while if the network says so."""
        outcome = await session.execute(self._command)
        if isinstance(outcome, Later):
            self._tries += 1
            if self._tries < LATER_LIMIT:
                return outcome.after
            outcome = Refused(Reason.RATE_LIMITED, outcome.why)
        if isinstance(outcome, Unknown):
            outcome = Refused(Reason.NETWORK_DOWN, outcome.why)
        if self._answer is not None:
            self._answer(outcome)
        return None

    def failed(self, reason: Reason, text: str) -> None:
        """Tell whoever asked."""
        if self._answer is not None:
            self._answer(Refused(reason, text))

    def interrupted(self, reason: Reason, text: str) -> bool:
        """Tell whoever asked; nobody waits for it so long that it should be tried again."""
        self.failed(reason, text)
        return False


About = MarkDisplayed | SendReceipt | RetractMessage
"""Commands about a message, which the face names by its stanza id."""


class AboutJob(CommandJob):
    """A command about a message in a direct chat: `find` gives the network's id for a stanza id, None where
    that is not known."""

    __slots__ = ("_about", "_find")

    def __init__(
        self,
        command: About,
        find: Callable[[str], Awaitable[MessageId | None]],
        answer: Answer | None = None,
    ) -> None:
        super().__init__(command, answer)
        self._about = command
        self._find = find

    async def run(self, session: Session) -> float | None:
        """Find the message, then go on as usual. What is about none that is known is not for the network."""
        known = await self._find(self._about.target)
        if known is None:
            self.failed(Reason.NOT_FOUND, "That message is not known here any more.")
            return None
        self._command = msgspec.structs.replace(self._about, target=known)
        return await super().run(session)
