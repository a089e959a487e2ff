"""Knows what becomes of what carriers bring: events for the user whose number it is for."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from backends.sms.choices import Choices
from backends.sms.numbers import Numbers
from backends.sms.values import Arrived, Report, Verdict
from bridge.api import (
    Attachment,
    Content,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Host,
    MessageId,
    MessageReceived,
    OccupantId,
)

Cursor = tuple[str, str] | None
NOBODY = OccupantId("")

LAST = "sms last"
"""What comes without a cursor is shown before it is stored while the database is out. A carrier has its texts
and brings them again, so each is given one: this, where it has none of its own."""


class Holders(Protocol):
    """Who tells whose number it is: the bridge."""

    async def holder(self, claim: str) -> Host | None:
        """See `GatewayHost.holder`."""


class FrontDesk:
    """See `backends.sms.carrier.Desk`."""

    def __init__(self, numbers: Numbers, choices: Choices, gateway: Holders) -> None:
        self._numbers = numbers
        self._choices = choices
        self._gateway = gateway

    async def holder(self, number: str, route: str) -> Host | None:
        """Whose number it is, if it is reached by that route."""
        host = await self._gateway.holder(number)
        return host if host is not None and self._numbers.holds(host.account, number, route) else None

    def text(self, host: Host, arrived: Arrived, *, cursor: Cursor = None) -> Awaitable[None]:
        """Tell the user of a text."""
        cursor = cursor or (LAST, arrived.id)
        numbers = self._numbers.of(host.account)
        if len(numbers) > 1:
            return self._chosen(host, arrived, numbers[0].number, cursor)
        if arrived.attachments:
            return self._all(host, arrived, arrived.text, cursor)
        return host.emit(_said(arrived, arrived.id, Content(arrived.text)), cursor=cursor)

    async def _chosen(self, host: Host, arrived: Arrived, usual: str, cursor: tuple[str, str]) -> None:
        """What is answered goes out from the number that was texted; the user is told where it changes. A
        text that comes late, or once more, changes no later choice."""
        text, contact = arrived.text, arrived.contact
        at = arrived.sent_at.timestamp() if arrived.sent_at else None
        if await self._choices.put(host, contact, arrived.number, usual=usual, at=at):
            text = f"[to {arrived.number}]\n{text}"
        await self._all(host, arrived, text, cursor)

    async def _all(self, host: Host, arrived: Arrived, text: str, cursor: tuple[str, str]) -> None:
        """The text, then each file: clients show a file only in a message of its own (XEP-0066)."""
        parts = [Content(text)] if text or not arrived.attachments else []
        parts += [_file(each) for each in arrived.attachments]
        ids = [arrived.id, *(MessageId(f"{arrived.id} {count}") for count in range(1, len(parts)))]
        stored = [
            host.emit(_said(arrived, id_, part), cursor=cursor if id_ is ids[-1] else (LAST, id_))
            for id_, part in zip(ids, parts, strict=True)
        ]
        for each in stored:
            await each

    def report(self, host: Host, report: Report) -> Awaitable[None]:
        """Tell the user what became of theirs."""
        chat = DirectChat(report.contact)
        if report.verdict is Verdict.DELIVERED:
            return host.emit(Delivered(chat, report.id))
        return host.emit(DeliveryFailed(chat, report.id, report.text[:1].upper() + report.text[1:]))


def _file(attachment: Attachment) -> Content:
    return Content("", attachments=(attachment,))


def _said(arrived: Arrived, id_: MessageId, content: Content) -> MessageReceived:
    chat = DirectChat(arrived.contact)
    return MessageReceived(chat, NOBODY, id_, content, sent_at=arrived.sent_at, name=arrived.name)
