"""Knows how a text goes out, and what its sender is told: sent with its ids, refused, later, or unknown."""

from __future__ import annotations

import asyncio
import logging

from backends.sms.carrier import NotPossible
from backends.sms.smpp.options import SmppOptions
from backends.sms.smpp.receipts import canonical
from backends.sms.smpp.statuses import BUSY, NOT_NOW, OK, QUEUE_FULL, refusal
from backends.sms.smpp.submits import Submission, Writer
from backends.sms.smpp.times import Times
from backends.sms.smpp.window import Answered, End, NoAnswer, NotWritten, Submit, Window
from backends.sms.values import Outgoing
from bridge.api import Content, Later, MessageId, Outcome, Reason, Refused, Sent, SentPart, Unknown

log = logging.getLogger(__name__)

DOWN_SECONDS, MOST_DOWN_SECONDS = 3.0, 30.0
BUSY_SECONDS = 15.0
TROUBLE_SECONDS = 60.0
"""How soon a text is tried again: where there is no link, where the carrier takes too little, where it has
trouble of its own."""

FIRST_PAUSE = 0.25
"""After so long a text is offered again whose queue is full, then after twice as long each time."""

_BUSY = "The carrier takes no more texts at the moment."
_TROUBLE = "The carrier has trouble (error 0x{:08X})."


class Sender:
    """The texts that go out by one route."""

    def __init__(self, route: str, options: SmppOptions, window: Window, times: Times) -> None:
        self.writer = Writer(options)
        self._route = route
        self._radix = options.receipt_ids
        self._window = window
        self._times = times

    async def send(self, outgoing: Outgoing) -> Outcome:
        """See `backends.sms.carrier.Carrier.send`."""
        if self._window.why_down:
            return self._no_link(self._window.why_down)
        try:
            submission = self.writer.write(outgoing)
        except NotPossible as error:
            return Refused(Reason.TOO_LONG, str(error))
        ends = await self._submit(submission.bodies)
        outcome = self._outcome(submission, ends)
        if isinstance(outcome, Refused):
            log.info("route %s: a text was refused: %s", self._route, outcome.text)
        return outcome

    async def _submit(self, bodies: tuple[bytes, ...]) -> list[End]:
        """The first part alone: what the carrier has against the text it says of that one."""
        until = asyncio.get_running_loop().time() + self._times.busy
        ends = [await self._part(bodies[0], until)]
        if len(bodies) > 1 and _is_taken(ends[0]):
            ends += await asyncio.gather(*(self._part(body, until) for body in bodies[1:]))
        return ends

    async def _part(self, body: bytes, until: float) -> End:
        """Submit a part, again as long as the carrier is too busy for it."""
        end, pause = await self._window.submit(Submit(body)), FIRST_PAUSE
        while isinstance(end, Answered) and end.status in BUSY:
            if asyncio.get_running_loop().time() >= until:
                break
            if end.status == QUEUE_FULL:
                await asyncio.sleep(pause)
                pause *= 2
            end = await self._window.submit(Submit(body), again=True)
        return end

    def _outcome(self, submission: Submission, ends: list[End]) -> Outcome:
        taken = [end.id for end in ends if isinstance(end, Answered) and end.status == OK]
        if len(taken) == len(submission.bodies):
            return Sent(
                tuple(
                    SentPart(self._id(id_), Content(text))
                    for id_, text in zip(taken, submission.texts, strict=True)
                )
            )
        worst = next(end for end in (*_of(ends, NoAnswer), *_of(ends, Answered), *ends) if not _is_taken(end))
        if not taken and not isinstance(worst, NoAnswer):
            return self._nothing_sent(worst)
        why = _why(worst)
        if len(submission.bodies) > 1:
            why = f"{len(taken)} of {len(submission.bodies)} parts were taken. {why}"
        return Unknown(why)

    def _nothing_sent(self, end: Answered | NotWritten) -> Later | Refused:
        if isinstance(end, NotWritten):
            return self._no_link(end.why)
        if end.status in BUSY:
            return Later(BUSY_SECONDS, _why(end))
        if end.status in NOT_NOW:
            return Later(TROUBLE_SECONDS, _why(end))
        return Refused(*refusal(end.status))

    def _no_link(self, why: str) -> Later:
        """A link that has been gone for long is not looked for every few seconds, for each text."""
        pause = min(MOST_DOWN_SECONDS, max(DOWN_SECONDS, self._window.down_seconds / 4))
        return Later(pause, why)

    def _id(self, id_: str) -> MessageId:
        return MessageId(f"{self._route} {canonical(id_, self._radix)}" if id_ else "")


def _of(ends: list[End], kind: type[End]) -> list[End]:
    return [end for end in ends if isinstance(end, kind)]


def _is_taken(end: End) -> bool:
    return isinstance(end, Answered) and end.status == OK


def _why(end: End) -> str:
    if not isinstance(end, Answered):
        return end.why
    if end.status in BUSY:
        return _BUSY
    if end.status in NOT_NOW:
        return _TROUBLE.format(end.status)
    return refusal(end.status)[1]
