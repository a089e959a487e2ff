"""Knows the commands of SMTP and LMTP that a client may give, and what they are answered with. aiosmtpd reads
the lines, finds the method for each and does STARTTLS; what a command means is said here."""

# ruff: noqa: N802  aiosmtpd finds the method for a command by its name

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from aiosmtpd.smtp import SMTP, TLSSetupException

from backends.email.smtp import inbound, offer
from backends.email.smtp.desk import Desk, discard
from backends.email.smtp.inbound import Answer, Envelope, Protocol
from backends.email.smtp.intake import Intake, TooMuch
from backends.email.smtp.offer import Offer
from backends.email.smtp.spool import Spool
from backends.email.smtp.trace import LoopWatch, headers

log = logging.getLogger(__name__)

COMMAND_LIMIT = 2048
"""Octets of a line. RFC 5321 §4.5.3.1.4 asks for 512, and extensions for more."""

NO_COMMAND = Answer(500, "5.5.1", "There is no such command")
NO_LOGIN = Answer(502, "5.5.1", "There is no login here")
NO_VRFY = Answer(252, "2.5.2", "Send the mail, and see")
NO_EXPN = Answer(502, "5.5.1", "There are no lists here")
HELP = Answer(214, "2.0.0", "See RFC 5321 and RFC 2033")
NEEDS_TLS = Answer(530, "5.7.0", "Say STARTTLS first")
HAS_TLS = Answer(503, "5.5.1", "This is encrypted already")
ENOUGH_MAILS = Answer(421, "4.7.0", "Enough for one connection, please connect again")
ENOUGH_RECIPIENTS = Answer(452, "4.5.3", "Enough recipients for one mail")
ENOUGH_GUESSES = Answer(421, "4.7.0", "Too many unknown recipients")
TOO_SLOW = Answer(421, "4.4.2", "That took too long")
TOO_MUCH = Answer(421, "4.7.0", "That is too much")
GO_ON = "354 End the mail with a dot on a line of its own"

_LINGER = 10.0
"""Seconds for a client to read our last words."""


class _SameForAll(dict[str, int]):
    """The same limit for each command; unlike aiosmtpd's own it remembers no command that a client makes
    up."""

    def __missing__(self, command: str) -> int:
        return COMMAND_LIMIT


class _Faults:
    """aiosmtpd's handler: all it is asked is what to say when something failed."""

    async def handle_exception(self, error: Exception) -> str:
        log.error("a mail conversation failed", exc_info=error)
        return str(inbound.NOT_NOW)


class Conversation(SMTP):
    """One connection. `over` is called once when it has ended."""

    command_size_limit = COMMAND_LIMIT
    command_size_limits = _SameForAll()
    line_length_limit = 64 * 1024
    """What its reader holds; the lines of a mail have no limit."""

    def __init__(
        self, desk: Desk, peer: str, tls: ssl.SSLContext | None, over: Callable[[Conversation], None]
    ) -> None:
        options = desk.options
        super().__init__(
            _Faults(),
            data_size_limit=options.size_limit,
            enable_SMTPUTF8=True,
            hostname=options.hostname,
            ident=options.protocol.greeting,
            tls_context=tls,
            timeout=options.limits.command_seconds,
            command_call_limit=options.limits.mails * (options.limits.recipients + 10),
            loop=asyncio.get_running_loop(),
        )
        self._desk = desk
        self._limits = options.limits
        self._peer = peer
        self._over: Callable[[Conversation], None] | None = over
        self._offer: Offer | None = None
        self._mails = 0
        self._wrong = 0

    # --- the connection ---

    async def _handle_client(self) -> None:
        try:
            await super()._handle_client()
        except ConnectionError:
            log.debug("a mail client hung up")
        finally:
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._end()

    def _end(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(self)

    def _timeout_cb(self) -> None:
        self.hang_up(TOO_SLOW)

    def hang_up(self, answer: Answer) -> None:
        """Say a last word and close."""
        transport = self.transport
        if self._half_encrypted:
            self._abort()  # in the middle of a handshake there is nothing to be said
        elif isinstance(transport, asyncio.WriteTransport) and not transport.is_closing():
            transport.write(f"{answer}\r\n".encode())
            transport.close()
            self.loop.call_later(_LINGER, transport.abort)

    def _abort(self) -> None:
        transport = self._original_transport or self.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    async def push(self, status: str | bytes) -> None:
        """Send an answer, whose lines are separated by CRLF; nothing that a client said can break it."""
        text = status.decode("ascii", "replace") if isinstance(status, bytes) else status
        lines = ["".join(c if " " <= c <= "~" else "?" for c in line) for line in text.split("\r\n")]
        await super().push("\r\n".join(line[:500] for line in lines))

    async def _say(self, *answers: Answer) -> None:
        await self.push("\r\n".join(map(str, answers)))

    # --- greetings ---

    @property
    def _encrypted(self) -> bool:
        return self.session is not None and self.session.ssl is not None

    @property
    def _half_encrypted(self) -> bool:
        """In the middle of a handshake, or the client left there."""
        return self._tls_protocol is not None and not self._encrypted

    @property
    def _greeted(self) -> bool:
        return self.session is not None and bool(self.session.host_name)

    async def smtp_HELO(self, hostname: str | None) -> None:
        await self._greet(hostname, Protocol.SMTP, extended=False)

    async def smtp_EHLO(self, hostname: str | None) -> None:
        await self._greet(hostname, Protocol.SMTP, extended=True)

    async def smtp_LHLO(self, hostname: str | None) -> None:
        await self._greet(hostname, Protocol.LMTP, extended=True)

    async def _greet(self, hostname: str | None, protocol: Protocol, *, extended: bool) -> None:
        if protocol is not self._desk.options.protocol:
            await self._say(NO_COMMAND)
            return
        if not hostname or self.session is None:
            await self._say(offer.SYNTAX)
            return
        self._set_rset_state()
        self.session.host_name = hostname
        self.session.extended_smtp = extended
        lines = [self.hostname, *(self._extensions() if extended else ())]
        await self.push("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    def _extensions(self) -> Sequence[str]:
        tls = ["STARTTLS"] if self.tls_context and not self._encrypted else []
        size = f"SIZE {self._desk.options.size_limit}"
        return [size, "8BITMIME", "SMTPUTF8", "PIPELINING", *tls, "ENHANCEDSTATUSCODES"]

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        if self._tls_protocol is not None:
            await self._say(HAS_TLS)
            return
        try:
            await super().smtp_STARTTLS(arg or "")
        except TLSSetupException as error:
            self._abort()  # aiosmtpd would close what it has not got any more
            raise ConnectionResetError("no TLS with this client") from error
        if self._half_encrypted:
            self._abort()  # to aiosmtpd, a connection that closes in the handshake looks like a success
            raise ConnectionResetError("the client left before TLS was there")

    # --- what is not done here ---

    async def smtp_AUTH(self, arg: str | None) -> None:
        await self._say(NO_LOGIN)

    async def smtp_VRFY(self, arg: str | None) -> None:
        await self._say(NO_VRFY if arg else offer.SYNTAX)

    async def smtp_EXPN(self, arg: str | None) -> None:
        await self._say(NO_EXPN)

    async def smtp_HELP(self, arg: str | None) -> None:
        await self._say(HELP)

    # --- mails ---

    def _set_rset_state(self) -> None:
        super()._set_rset_state()  # type: ignore[no-untyped-call]
        self._offer = None

    async def smtp_MAIL(self, arg: str | None) -> None:
        if self._mails >= self._limits.mails:
            self.hang_up(ENOUGH_MAILS)
            return
        await self._say(self._begin(arg))

    def _begin(self, arg: str | None) -> Answer:
        if not self._greeted or self._offer is not None:
            return offer.BAD_SEQUENCE
        if self._desk.options.require_tls and not self._encrypted:
            return NEEDS_TLS
        read = offer.read_mail(arg, self._desk.options.size_limit)
        if isinstance(read, Answer):
            return read
        if too_fast := self._desk.door.mail(self._peer, time.monotonic()):
            return too_fast
        self._mails += 1
        self._offer = read
        return offer.OK

    async def smtp_RCPT(self, arg: str | None) -> None:
        if self._wrong >= self._limits.wrong_recipients:
            self.hang_up(ENOUGH_GUESSES)
            return
        answer = await self._add(arg)
        self._wrong += answer.code >= 500
        await self._say(answer)

    async def _add(self, arg: str | None) -> Answer:
        offered = self._offer
        if offered is None:
            return offer.BAD_SEQUENCE
        if len(offered.recipients) >= self._limits.recipients:
            return ENOUGH_RECIPIENTS
        address = offer.read_rcpt(arg, offered, self._desk.domains)
        if isinstance(address, Answer):
            return address
        answer = await self._desk.check(address)
        if answer.accepted:
            offered.recipients.append(address)
        return answer

    async def smtp_DATA(self, arg: str | None) -> None:
        offered = self._offer
        if arg or offered is None or not offered.recipients:
            await self._say(offer.SYNTAX if arg else offer.BAD_SEQUENCE)
            return
        self._reset_timeout(self._limits.mail_seconds)
        async with self._desk.slots:
            await self._receive(offered)
        self._reset_timeout()

    async def _receive(self, offered: Offer) -> None:
        try:
            spool = await Spool.create(self._desk.options.spool)
        except OSError:
            log.exception("there is no place for mails that come in")
            await self._say(inbound.NO_ROOM)
            return
        envelope = self._envelope(offered)
        try:
            await self.push(GO_ON)
            taken = await self._read_in(envelope, spool)
        except BaseException:
            discard(spool)
            raise
        self._set_rset_state()
        if isinstance(taken, Envelope):
            self._reset_timeout(2 * self._limits.deliver_seconds)
            answers = await self._desk.deliver(taken, spool)
        else:
            discard(spool)
            answers = dict.fromkeys(envelope.recipients, taken)
        each = [answers[recipient] for recipient in offered.recipients]
        lmtp = self._desk.options.protocol is Protocol.LMTP
        await self._say(*(each if lmtp else [inbound.together(each)]))

    async def _read_in(self, envelope: Envelope, spool: Spool) -> Envelope | Answer:
        """The envelope of a mail that is all in the spool, or why it is not. Raises `ConnectionResetError`
        when the conversation is over."""
        options = self._desk.options
        intake = Intake(spool, LoopWatch(options.hostname), options.size_limit, self._limits.block_seconds)
        try:
            await intake.begin(headers(envelope, options.protocol, options.hostname, datetime.now(UTC)))
            refusal = await intake.run(self._reader)
        except TimeoutError:
            last = TOO_SLOW
        except TooMuch:
            last = TOO_MUCH
        except ConnectionError:
            raise
        except Exception:
            log.exception("a mail that came in cannot be read")
            last = inbound.NOT_NOW
        else:
            return refusal or msgspec.structs.replace(envelope, size=intake.size)
        # What is left of the mail must not be read as commands.
        self.hang_up(last)
        raise ConnectionResetError("the mail was not read to its end")

    def _envelope(self, offered: Offer) -> Envelope:
        return Envelope(
            id=secrets.token_hex(8),
            sender=offered.sender,
            recipients=tuple(dict.fromkeys(offered.recipients)),
            peer=self._peer,
            helo=str(self.session.host_name) if self.session else "",
            encrypted=self._encrypted,
            size=0,
        )
