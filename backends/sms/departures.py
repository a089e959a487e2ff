"""Knows how a chat message leaves as texts: from which number, within which limits, and what its user hears
while it waits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from backends.sms import addresses
from backends.sms.carrier import Carrier, NotPossible
from backends.sms.choices import Choices
from backends.sms.consent import Consent
from backends.sms.daily import Daily
from backends.sms.values import Outgoing, OwnNumber
from bridge.api import (
    Attachment,
    ContactId,
    Content,
    DirectChat,
    Host,
    Later,
    MessageId,
    MessageReceived,
    OccupantId,
    Outcome,
    Reason,
    Refused,
    SendMessage,
    Sent,
    Support,
    Unknown,
)

COMMAND = "/number"
"""Written to a contact, it tells or chooses by which of the user's numbers they are texted."""

NOT_KNOWN = "The text may have been sent, or not."
MOST_TOLD = 50
TELL_SECONDS = 30.0
"""After so long a text that waits is told of."""


QUOTED = 60
"""So many characters of a message that is answered are quoted."""


class Limits(msgspec.Struct, frozen=True):
    """What one message may be. More than `notice` texts are sent only when the user says it again; `most` is
    the end. A message that could not be sent for `hours` is given up."""

    notice: int
    most: int
    hours: float


class Departures:
    """The outgoing texts of one account."""

    def __init__(
        self,
        host: Host,
        numbers: tuple[OwnNumber, ...],
        carriers: Mapping[str, Carrier],
        choices: Choices,
        daily: Daily,
        limits: Limits,
    ) -> None:
        self._host = host
        self._numbers = numbers
        self._carriers = carriers
        self._choices = choices
        self._daily = daily
        self._limits = limits
        self._consent = Consent(host)
        self._told: OrderedDict[str, None] = OrderedDict()

    async def send(self, command: SendMessage) -> Outcome:
        """See `bridge.api.Session.execute`."""
        if not isinstance(command.chat, DirectChat):
            return Refused(Reason.UNSUPPORTED, "Texts have no rooms.")
        contact, content = command.chat.contact, command.content
        word, _, rest = content.text.strip().partition(" ")
        if word.lower() == COMMAND:
            return await self._number(contact, rest.strip())
        if why := addresses.can_answer(contact):
            return Refused(Reason.UNSUPPORTED, why)
        own = await self.number_for(contact)
        if own is None:
            return Refused(Reason.NOT_AUTHORIZED, "You have no number here to text from.")
        carrier = self._carriers.get(own.route)
        if carrier is None:
            return Refused(Reason.GONE, f"{own.number} cannot be used any more: its route is gone.")
        outcome = await self._limited(carrier, own, contact, command)
        return await self._waiting(contact, command, outcome) if isinstance(outcome, Later) else outcome

    async def number_for(self, contact: ContactId) -> OwnNumber | None:
        """The number by which a contact is texted; None: there is none at all. Raises ConnectionLost."""
        numbers = self._numbers
        if len(numbers) > 1:
            chosen = await self._choices.get(self._host, contact)
            return next((each for each in numbers if each.number == chosen), numbers[0])
        return numbers[0] if numbers else None

    async def _limited(
        self, carrier: Carrier, own: OwnNumber, contact: ContactId, command: SendMessage
    ) -> Outcome:
        content = command.content
        if not (content.text or content.attachments):
            return Refused(Reason.BAD_REQUEST, "There is nothing to send.")
        text, files = _said(content, carrier)
        try:
            texts = carrier.segments(text)
        except NotPossible as error:
            return Refused(Reason.TOO_LONG, str(error))
        if refused := await self._too_long(command, contact, text, texts):
            return refused
        if not self._daily.take(texts):
            return Refused(Reason.RATE_LIMITED, self._enough(texts))
        outgoing = Outgoing(own.number, contact, text, f"{command.key} {command.said_at}", files)
        outcome = await carrier.send(outgoing)
        if isinstance(outcome, Refused | Later):
            self._daily.give_back(texts)
        return Unknown(f"{outcome.why} {NOT_KNOWN}") if isinstance(outcome, Unknown) else outcome

    async def _too_long(
        self, command: SendMessage, contact: ContactId, text: str, texts: int
    ) -> Refused | None:
        """Why not to send that now: long messages are dear, so they are sent when they are said twice."""
        if texts > self._limits.most:
            words = f"This would be {texts} texts; the most in one message is {self._limits.most}."
            return Refused(Reason.TOO_LONG, words)
        if texts <= self._limits.notice or await self._consent.given(command, contact, text):
            return None
        return Refused(Reason.TOO_LONG, f"This would be {texts} texts. To send it, say the same once more.")

    def _enough(self, texts: int) -> str:
        """What is said to somebody who has sent what they may."""
        left = self._daily.most - self._daily.sent
        if left <= 0:
            return f"You have sent {self._daily.most} texts today, as many as you may. Go on tomorrow (UTC)."
        return f"This would be {texts} texts, and you may send {left} more today. Go on tomorrow (UTC)."

    async def _waiting(self, contact: ContactId, command: SendMessage, outcome: Later) -> Outcome:
        """A text that waits is told of once, and given up in the end."""
        waited = time.time() - command.said_at / 1_000_000 if command.said_at else 0.0
        if waited > self._limits.hours * 3600:
            return Refused(Reason.TIMEOUT, f"Not sent within {self._limits.hours:g} hours. {outcome.why}")
        key = f"{command.key} {command.said_at}"
        if waited + outcome.after > TELL_SECONDS and key not in self._told:
            self._told[key] = None
            while len(self._told) > MOST_TOLD:
                self._told.popitem(last=False)
            # By its id it is told once, also when a restart has forgotten that it was.
            self._say(contact, f"Not sent yet: {outcome.why} It is tried again by itself.", f"{key} waits")
        return outcome

    def _say(self, contact: ContactId, text: str, once: str = "") -> None:
        said = Content(text, notice=True)
        self._host.emit(MessageReceived(DirectChat(contact), OccupantId(""), MessageId(once), said))

    async def _number(self, contact: ContactId, wanted: str) -> Outcome:
        """`/number` lists the user's numbers, `/number 2` or `/number +15551234567` chooses one."""
        numbers = self._numbers
        if wanted:
            chosen = _chosen(numbers, wanted)
            if chosen is None:
                return Refused(
                    Reason.NOT_FOUND, f"{wanted} is none of your numbers. Say {COMMAND} to see them."
                )
            await self._choices.put(self._host, contact, chosen.number)
        used = await self.number_for(contact)
        lines = [
            f"{count}. {each.number}{' (used here)' if each == used else ''}"
            for count, each in enumerate(numbers, 1)
        ]
        more = f"Say {COMMAND} and one of them to use another here." if len(numbers) > 1 else ""
        self._say(contact, "\n".join(filter(None, [*lines, more])) or "You have no number here.")
        return Sent()


def _said(content: Content, carrier: Carrier) -> tuple[str, tuple[Attachment, ...]]:
    """The text and the files, as far as the carrier takes any: another of the user's may."""
    text = f"* {content.text}" if content.action else content.text
    if content.quoted:
        text = f"{_quote(content.quoted)}\n{text}"
    if carrier.capabilities.attachment is Support.NATIVE:
        return text, content.attachments
    links = [each.url for each in content.attachments if each.url not in text]
    return "\n".join(filter(None, [text, *links])), ()


def _quote(text: str) -> str:
    """The beginning of what is answered, in one line: each text is paid for."""
    line = " ".join(text.split())
    return f"> {line if len(line) <= QUOTED else f'{line[: QUOTED - 3].rstrip()}...'}"


def _chosen(numbers: tuple[OwnNumber, ...], wanted: str) -> OwnNumber | None:
    if wanted.isascii() and wanted.isdecimal() and 0 < int(wanted[:4]) <= len(numbers) and len(wanted) < 4:
        return numbers[int(wanted) - 1]
    digits = "".join(filter(str.isdecimal, wanted))
    return next((each for each in numbers if digits and each.number.lstrip("+") == digits), None)
