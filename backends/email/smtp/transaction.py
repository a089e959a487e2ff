"""Knows how one mail is offered to a server over an open connection (RFC 5321 §3.3), and what its answers
mean for each recipient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from backends.email.smtp.address import for_the_wire, xtext
from backends.email.smtp.connection import Connection, Unanswered
from backends.email.smtp.dots import Stuffer
from backends.email.smtp.replies import Reply, outcome, words_of
from backends.email.smtp.survey import PIECE, Survey
from bridge.api import ConnectionLost, Outcome, Reason, Refused, Unknown

_ENVID_LIMIT = 100
"""RFC 3461 §4.4; a longer one is left out."""


class Mail(msgspec.Struct, frozen=True):
    """A mail to hand over: a file and its envelope. `sender` is empty for what no one may answer to
    automatically (the null path, RFC 5321 §4.5.5). `envelope_id` comes back in reports (RFC 3461 §4.4)."""

    path: Path
    sender: str
    recipients: tuple[str, ...]
    envelope_id: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """How often a mail was tried, this time included, and a random number from 0 to 1 for the pause."""

    number: int = 1
    jitter: float = 0.5


class Transaction:
    """One mail for some recipients over one connection. Use it once: `run`."""

    def __init__(self, connection: Connection, mail: Mail, survey: Survey, attempt: Attempt) -> None:
        self._connection = connection
        self._mail = mail
        self._survey = survey
        self._attempt = attempt
        self.apart: tuple[str, ...] = ()
        """After `run`: recipients that the server wants in a mail of their own (452, RFC 5321
        §4.5.3.1.10)."""

    async def run(self, recipients: Sequence[str]) -> dict[str, Outcome]:
        """Offer the mail; the outcome for each recipient but those in `apart`. Raises `ConnectionLost` where
        it is certain that nothing was handed over, `OSError` if the file cannot be read."""
        if refused := self._cannot(recipients):
            return dict.fromkeys(recipients, refused)
        self._connection.mails += 1
        reply = await self._connection.command(
            "MAIL", f"FROM:<{_wire(self._mail.sender)}>", *self._mail_params(recipients)
        )
        if reply.code == 421:  # it was about to close: what it thinks of the mail is not known
            raise ConnectionLost(f"{self._connection.name} says: {words_of(reply)}")
        if not reply.positive:
            await self._reset()
            return dict.fromkeys(recipients, self._outcome(reply))
        accepted, outcomes = await self._offer(recipients)
        if not accepted:
            await self._reset()
            return outcomes
        return outcomes | dict.fromkeys(accepted, await self._deliver())

    def _cannot(self, recipients: Sequence[str]) -> Refused | None:
        """What the server's extensions rule out before a word is said."""
        name, limit = self._connection.name, self._connection.offers("size") or ""
        if limit.isdecimal() and 0 < int(limit) < self._survey.size:
            size, most = self._survey.size / 1e6, int(limit) / 1e6
            return Refused(
                Reason.TOO_LONG, f"The mail has {size:.1f} MB; {name} takes {most:.1f} MB at most."
            )
        if self._beyond_ascii(recipients) and self._connection.offers("smtputf8") is None:
            return Refused(Reason.UNSUPPORTED, f"{name} takes no addresses with letters beyond ASCII.")
        if self._survey.eight_bit and self._connection.offers("8bitmime") is None:
            return Refused(Reason.UNSUPPORTED, f"{name} takes no mails with octets beyond ASCII.")
        return None

    def _beyond_ascii(self, recipients: Sequence[str]) -> bool:
        everybody = [_wire(each) for each in (self._mail.sender, *recipients)]
        return self._survey.eight_bit_header or not all(each.isascii() for each in everybody)

    def _mail_params(self, recipients: Sequence[str]) -> list[str]:
        offers, params = self._connection.offers, []
        if offers("size") is not None:
            params.append(f"SIZE={self._survey.size}")
        if self._survey.eight_bit and offers("8bitmime") is not None:
            params.append("BODY=8BITMIME")
        if self._beyond_ascii(recipients):
            params.append("SMTPUTF8")
        if offers("dsn") is not None:
            params.append("RET=HDRS")
            name = xtext(self._mail.envelope_id)
            if name and len(name) <= _ENVID_LIMIT:
                params.append(f"ENVID={name}")
        return params

    def _rcpt_params(self, recipient: str) -> list[str]:
        if self._connection.offers("dsn") is None:
            return []
        if not self._mail.sender:
            return ["NOTIFY=NEVER"]
        original = [f"ORCPT=rfc822;{xtext(recipient)}"] if recipient.isascii() else []
        return ["NOTIFY=FAILURE,DELAY", *original]

    async def _offer(self, recipients: Sequence[str]) -> tuple[list[str], dict[str, Outcome]]:
        accepted: list[str] = []
        outcomes: dict[str, Outcome] = {}
        for recipient in recipients:
            to = f"TO:<{_wire(recipient)}>"
            reply = await self._connection.command("RCPT", to, *self._rcpt_params(recipient))
            if reply.positive:
                accepted.append(recipient)
            elif accepted and reply.too_many_recipients:
                self.apart = (*self.apart, recipient)
            else:
                outcomes[recipient] = self._outcome(reply)
        return accepted, outcomes

    async def _deliver(self) -> Outcome:
        reply = await self._connection.command("DATA", seconds=self._connection.limits.data)
        if reply.code != 354:
            if reply.positive:
                self._connection.close()
                raise ConnectionLost(f"{self._connection.name} answered {reply.code} to DATA.")
            await self._reset()
            return self._outcome(reply)
        stuffer = Stuffer()
        try:
            return self._outcome(
                await self._connection.transfer(_pieces(self._mail.path, stuffer), stuffer.end)
            )
        except Unanswered as error:
            return Unknown(f"{error} The mail may have been sent, or not.")

    async def _reset(self) -> None:
        """Leave the connection as it was. Whether that works decides about the connection only: the outcomes
        are known."""
        if self._connection.alive:
            try:
                await self._connection.command("RSET")
            except ConnectionLost:
                self._connection.close()

    def _outcome(self, reply: Reply) -> Outcome:
        return outcome(reply, self._connection.name, self._attempt.number, self._attempt.jitter)


def _wire(address: str) -> str:
    return for_the_wire(address) if address else ""


async def _pieces(path: Path, stuffer: Stuffer) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield stuffer.feed(piece)
