"""Knows what is done with each deliver_sm: read, given to whose number it is for, and answered when it is
stored. So many are under way at once; more are not read from the link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiosmpplib.state import PduHeader, SmppCommand

from backends.sms import addresses
from backends.sms.carrier import Desk
from backends.sms.smpp.background import Background
from backends.sms.smpp.doubles import digest_of
from backends.sms.smpp.fences import Fences
from backends.sms.smpp.framing import HEADER
from backends.sms.smpp.incoming import Incoming, read_data, read_deliver
from backends.sms.smpp.lanes import Lanes
from backends.sms.smpp.link import Link
from backends.sms.smpp.message import read_message
from backends.sms.smpp.options import SmppOptions
from backends.sms.smpp.own_numbers import own_numbers, region_of
from backends.sms.smpp.receipts import Receipt, is_receipt, read_receipt
from backends.sms.smpp.statuses import FAILED_FOR_GOOD, FAILED_FOR_NOW, OK, QUEUE_FULL
from backends.sms.smpp.texts import Given, Texts
from backends.sms.smpp.times import Times
from backends.sms.text.coding import Alphabet, alphabet_of
from backends.sms.values import Report
from bridge.api import BackendError, Host, MessageId, Recent

log = logging.getLogger(__name__)

MOST_AT_ONCE = 200
PATIENCE = 2.0
"""For so long the link is not read when so many are under way; then more of them are refused for now."""
MOST_TOLD = 100

_ALPHABETS = {"gsm": Alphabet.GSM, "ascii": Alphabet.ASCII, "latin1": Alphabet.LATIN}


class NobodyHas(Exception):
    """A number that no account has."""


class Arrivals:
    """What comes by the links of one route. `ask` asks the SMSC whether it is there: see `Bind.ask`."""

    def __init__(
        self, route: str, options: SmppOptions, desk: Desk, times: Times, ask: Callable[[], Awaitable[bool]]
    ) -> None:
        self.background = Background()
        self.texts = Texts(route, desk, options.parts_seconds, times, self.background)
        self._serving = Background()
        self._route = route
        self._options = options
        self._alphabet = _ALPHABETS[options.alphabet]
        self._desk = desk
        self._times = times
        self._ask = ask if options.enquire_after_texts else None
        self._fences: Fences | None = None
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._stuck = False
        self._refusing = ""
        self._lanes = Lanes()
        self._written: Recent[tuple[str, int], str] = Recent()
        self._told: set[str] = set()

    # -- the link: see `bind.Listener` --

    def link_up(self, link: Link) -> None:
        """There is one."""
        self._fences = Fences(self._ask, self._times.fence)

    def link_down(self) -> None:
        """There is none any more: what it has not answered may come again."""
        if self._fences is not None:
            self._fences.end()
        self._fences = None
        self.texts.ledgers.link_ended()

    async def delivery(self, link: Link, pdu: bytes, header: PduHeader) -> None:
        """Take one; returns when the next may be read."""
        if await self._slot():
            self._serving.start(self._serve(link, self._fences, pdu, header))
        else:
            await link.answer(header.smpp_command, header.sequence_num, QUEUE_FULL)

    async def _slot(self) -> bool:
        if self._slots.locked():
            if self._stuck:
                return False
            try:
                await asyncio.wait_for(self._slots.acquire(), PATIENCE)
            except TimeoutError:
                self._stuck = True
                log.warning("route %s: nothing is stored, so the carrier must wait", self._route)
                return False
            return True
        return await self._slots.acquire()

    async def settle(self) -> None:
        """Return when what came is answered, and known to be read where it can be."""
        await self._serving.ended()
        if self._fences is not None:
            await self._fences.settled()

    async def stop(self) -> None:
        """Nothing more comes."""
        await self._serving.stop()
        self.texts.ledgers.stop()
        await self.background.stop()

    # -- one of them --

    async def _serve(self, link: Link, fences: Fences | None, pdu: bytes, header: PduHeader) -> None:
        try:
            status, given = await self._outcome(link, pdu, header.smpp_command)
            answered = await link.answer(header.smpp_command, header.sequence_num, status)
            if answered and given is not None and fences is not None:
                fences.written(given.read)
        finally:
            self._stuck = False
            self._slots.release()

    async def _outcome(self, link: Link, pdu: bytes, command: SmppCommand) -> tuple[int, Given | None]:
        """The status to answer."""
        try:
            async with asyncio.timeout(self._times.stored):
                given = await self._take(link, pdu, command)
            self._refusing = ""
            return OK, given
        except NobodyHas as error:
            self._tell_once(str(error))
            return FAILED_FOR_GOOD, None
        except (BackendError, TimeoutError) as error:
            why = str(error) or "it was not stored in time"
            if why != self._refusing:
                self._refusing = why
                log.warning("route %s: what comes is refused for now: %s", self._route, why)
            return FAILED_FOR_NOW, None
        except Exception:
            log.exception("a fault of the SMPP carrier, route %s", self._route)
            return FAILED_FOR_NOW, None

    async def _take(self, link: Link, pdu: bytes, command: SmppCommand) -> Given | None:
        incoming = read_data(pdu) if command is SmppCommand.DATA_SM else read_deliver(pdu)
        said = self._plain(incoming)
        if is_receipt(incoming, said, unmarked=self._options.unmarked_receipts):
            await self._report(incoming, read_receipt(incoming, said, self._options.receipt_ids))
            return None
        async with self._lanes.turn(incoming.destination.digits):  # so that texts stay in order
            host, number = await self._holder(incoming)
            if host.congested:
                await host.drain()
            message = read_message(
                incoming, link, digest_of(pdu[HEADER:]), number, self._alphabet, self._country(number)
            )
            given = await self.texts.give(host, message)
        await given.kept()
        return given

    async def _holder(self, incoming: Incoming) -> tuple[Host, str]:
        """Whose number it is, and how it is written. Raises NobodyHas, ConnectionLost."""
        destination = incoming.destination
        key = destination.digits, destination.ton
        lately = self._written.get(key)
        guesses = own_numbers(destination, self._options.country)
        # Whose it is may change from one text to the next; how the SMSC writes it seldom does.
        for number in guesses if lately is None else (lately, *guesses):
            host = await self._desk.holder(number, self._route)
            if host is not None:
                self._written.put(key, number)
                return host, number
        raise NobodyHas(f"something came for the number {destination.digits!r}, which nobody has")

    def _country(self, number: str) -> str:
        return self._options.country or region_of(number)

    def _plain(self, incoming: Incoming) -> str:
        """A receipt's text: whatever alphabet the SMSC says, it is ASCII, or that as UCS-2."""
        ucs2 = alphabet_of(incoming.data_coding, self._alphabet) is Alphabet.UCS2
        return incoming.octets.decode("utf-16-be" if ucs2 else "latin-1", "replace")

    async def _report(self, incoming: Incoming, receipt: Receipt | None) -> None:
        if receipt is None:
            self._tell_once("a receipt names none of our texts")
            return
        if receipt.verdict is None:
            return
        try:
            host, number = await self._holder(incoming)
        except NobodyHas as error:
            self._tell_once(str(error))
            return
        source = incoming.source
        contact, _ = addresses.from_sender(source.digits, source.ton, self._country(number))
        id_ = MessageId(f"{self._route} {receipt.id}")
        await self._desk.report(host, Report(id_, contact, receipt.verdict, receipt.why))

    def _tell_once(self, what: str) -> None:
        if what not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(what)
            log.warning("route %s: %s", self._route, what)
