"""Knows how a link to an SMSC is made, kept, and made again: the library's ESME, with its traps closed.

What is overridden (`tests/sms/smpp/test_library.py` holds that it is still there):
- `connect`: TLS, an address that the resolver allows, and only our own connection counts as bound.
- `_get_pdu`: a bound on the length; statuses and commands that the library does not know end no link.
- `_handle_request`, `_handle_response`: what came is read by us, and answered when it is stored.
- `_connection_keeper`: one question at a time, instead of two tasks for each PDU.
- `_receive_data`, `_dequeue_messages`, `_end_task`, `_disconnect`: a link ends at once, and as a whole;
  nothing that goes wrong on it ends `start`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio import IncompleteReadError, StreamReader, StreamWriter, Task
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from aiosmpplib import ESME
from aiosmpplib.protocol import BindTransceiver, EnquireLink, SmppMessage, Unbind
from aiosmpplib.state import (
    COMMAND_RESPONSE_MAP,
    PduHeader,
    SmppCommand,
    SmppCommandStatus,
    SmppError,
    SmppSessionState,
)

from backends.sms.smpp.framing import (
    GENERIC_NACK,
    RESPONSE,
    BadLength,
    read_frame,
    status_of,
    string_of,
    write_frame,
)
from backends.sms.smpp.library import SILENT, Hook, NoCorrelator, NoThrottle, Retry
from backends.sms.smpp.link import Link, Listener
from backends.sms.smpp.options import SmppOptions
from backends.sms.smpp.standing import LEAVING, Standing
from backends.sms.smpp.statuses import INVALID_COMMAND, INVALID_LENGTH, NOT_BOUND, OK, WRONG_LOGIN
from backends.sms.smpp.times import Times
from backends.sms.smpp.trouble import LinkFailed, explain
from backends.sms.smpp.window import Answered, Submit, Window

log = logging.getLogger(__name__)

T = TypeVar("T")
Dial = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]

_OUR_FAULT = "the gateway has failed on it (see above)"
_LOST = "The link to the carrier broke before it had answered."
_COMMANDS = {command.value: command for command in SmppCommand}
_STATUSES = {status.value: status for status in SmppCommandStatus}
_DELIVERIES = (SmppCommand.DELIVER_SM, SmppCommand.DATA_SM)
_OURS = (SmppCommand.ENQUIRE_LINK, SmppCommand.UNBIND)


class Ping(EnquireLink):  # type: ignore[misc]
    """An enquire_link, and whether it was answered."""

    answered: asyncio.Future[bool]


class Bind(ESME):  # type: ignore[misc]
    """The link of one route. `start` keeps it up until `leave`."""

    def __init__(
        self,
        options: SmppOptions,
        password: str,
        dial: Dial,
        window: Window,
        standing: Standing,
        listener: Listener,
        times: Times,
    ) -> None:
        super().__init__(
            options.host,
            options.tcp_port,
            options.system_id,
            "",  # the library's object need not know it
            options.system_type,
            address_range=options.address_range,
            enquire_link_interval=float(options.enquire_seconds),
            socket_timeout=float(options.response_seconds),
            log_level=SILENT,
            log_handler=logging.NullHandler(),
            hook=Hook(self._leaves),
            broker=window,
            correlator=NoCorrelator(),
            throttle_handler=NoThrottle(),
            retry_timer=Retry(times, standing),
        )
        self._login: Callable[[], SmppMessage] = partial(self._bind_request, password)
        self._dial = dial
        self._window = window
        self._standing = standing
        self._listener = listener
        self._times = times
        self._reader: StreamReader | None = None
        self._writer: StreamWriter | None = None
        self._link: Link | None = None
        self._pings: dict[int, Ping] = {}
        self._workers: set[Task[Any]] = set()
        self._heard = 0.0
        self._leaving = False

    # -- the link's beginning --

    async def connect(self) -> None:
        """Connect and bind. Raises what `start` takes for a reason to try again."""
        self._down()
        try:
            async with asyncio.timeout(self._times.connect):
                reader, writer = await self._dial()
                self._reader, self._writer = reader, writer
                self._session_state = SmppSessionState.OPEN
                await self._bind()
        except (OSError, TimeoutError, IncompleteReadError) as error:
            self._close_socket()
            wrong = isinstance(error, LinkFailed) and error.wrong_login
            self._failed(explain(error), wrong_login=wrong)
            raise
        except BaseException:
            self._close_socket()
            raise
        self._session_state = self.bind_mode.session_state
        self._heard = asyncio.get_running_loop().time()
        self._link = Link(writer)
        self._standing.up()
        self._window.up()
        self._listener.link_up(self._link)

    def _bind_request(self, password: str) -> SmppMessage:
        return BindTransceiver(
            system_id=self.system_id,
            password=password,
            system_type=self.system_type,
            interface_version=self.interface_version,
            addr_ton=self.addr_ton,
            addr_npi=self.addr_npi,
            address_range=self.address_range,
        )

    async def _bind(self) -> None:
        await self._send_data(self._login())
        wanted = COMMAND_RESPONSE_MAP[self.bind_mode.smpp_command]
        while True:
            pdu, header = await self._get_pdu()
            if header.smpp_command in (wanted, SmppCommand.GENERIC_NACK):
                break
        status = status_of(pdu)
        if status == OK and header.smpp_command is wanted:
            return
        wrong = status in WRONG_LOGIN
        login = " (is the system_id, the password or the system_type wrong?)" if wrong else ""
        name = f" {_STATUSES[status].name}" if status in _STATUSES else ""
        why = f"it refuses the bind: error 0x{status:08X}{name}{login}"
        raise LinkFailed(why, wrong_login=wrong)

    # -- the link's end --

    def _failed(self, why: str, *, wrong_login: bool = False) -> None:
        self._standing.failed(why, wrong_login=wrong_login)
        self._window.down(self._standing.why_down, _LOST)

    def _broke(self, why: str) -> None:
        """What is under way on the link is over, at once."""
        if self._link is not None and not self._leaving:
            self._failed(why)
        self._down()

    def _down(self) -> None:
        if self._link is None:
            return
        self._link.end()
        self._link = None
        self._session_state = SmppSessionState.CLOSED
        self._bound.clear()
        self._window.down(self._standing.why_down or LEAVING, _LOST)
        self._listener.link_down()
        pings, self._pings = self._pings, {}
        for ping in pings.values():
            if not ping.answered.done():
                ping.answered.set_result(False)
        self._close_socket()

    def _close_socket(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()  # what was written still goes out
            asyncio.get_running_loop().call_later(self._times.unbind, writer.transport.abort)

    async def leave(self) -> None:
        """End the link in good order, and `start` with it. The window should be idle by now."""
        self._leaving = True
        self._standing.left()
        link, writer = self._link, self._writer
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._times.unbind):
                if link is not None:
                    await self._send_data(Unbind())
                    self._is_shutting_down = True  # the answer is the last that is read
                    await link.ended()
        self._is_shutting_down = True
        self._down()
        if writer is not None:
            writer.transport.abort()

    def abandon(self) -> None:
        """`start` has ended for a bug: nothing of it may go on."""
        self._broke(_OUR_FAULT)
        for worker in self._workers:
            worker.cancel()

    async def _disconnect(self) -> None:
        self._down()

    async def _end_task(self, task: Task[Any]) -> None:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it was told by `_working`

    async def _working(self, work: Awaitable[T]) -> T:
        """One of the three tasks of a link: whichever ends, all of the link ends."""
        worker = asyncio.current_task()
        assert worker is not None
        self._workers.add(worker)
        try:
            return await work
        except (OSError, TimeoutError, IncompleteReadError, SmppError) as error:
            self._broke(explain(error))
            raise
        except Exception as error:
            log.exception("a fault of the SMPP carrier")
            self._broke(_OUR_FAULT)
            raise LinkFailed(_OUR_FAULT) from error
        finally:
            self._workers.discard(worker)
            self._broke("it has ended the session")

    async def _receive_data(self) -> bytes | None:
        received: bytes | None = await self._working(super()._receive_data())
        return received

    async def _dequeue_messages(self) -> Any:
        return await self._working(super()._dequeue_messages())

    # -- reading --

    async def _get_pdu(self) -> tuple[bytes, PduHeader]:
        """The next PDU whose command we know. A status that the library does not know is UNKNOWNERR in the
        header, and as it came in the PDU."""
        reader = self._reader
        assert reader is not None
        while True:
            try:
                frame = await read_frame(reader)
            except BadLength as error:
                await self._nack(error.sequence, INVALID_LENGTH)
                raise LinkFailed(str(error)) from error
            self._heard = asyncio.get_running_loop().time()
            command = _COMMANDS.get(frame.command)
            if command is not None:
                status = _STATUSES.get(frame.status, SmppCommandStatus.ESME_RUNKNOWNERR)
                return frame.octets, PduHeader(len(frame.octets), command, status, frame.sequence)
            if not frame.command & RESPONSE:
                await self._nack(frame.sequence, INVALID_COMMAND)

    async def _nack(self, sequence: int, status: int) -> None:
        writer = self._writer
        if writer is not None:
            writer.write(write_frame(GENERIC_NACK, status, sequence))
            await writer.drain()

    async def _handle_request(self, pdu: bytes, header: PduHeader) -> SmppMessage | None:
        if header.smpp_command in _DELIVERIES and self._link is not None:
            await self._listener.delivery(self._link, pdu, header)
            return None
        if header.smpp_command in _OURS:
            return await super()._handle_request(pdu, header)
        await self._nack(header.sequence_num, INVALID_COMMAND)
        return None

    async def _handle_response(self, pdu: bytes, header: PduHeader) -> None:
        sequence = header.sequence_num
        if header.smpp_command in (SmppCommand.SUBMIT_SM_RESP, SmppCommand.GENERIC_NACK):
            answer = Answered(status_of(pdu), string_of(pdu))
            if header.smpp_command is SmppCommand.GENERIC_NACK and answer.status == OK:
                answer = Answered(SmppCommandStatus.ESME_RUNKNOWNERR.value)
            if self._window.answered(sequence, answer):
                if answer.status == NOT_BOUND:
                    raise LinkFailed("it says that we are not bound")
                return
        ping = self._pings.pop(sequence, None)
        if ping is not None and not ping.answered.done():
            ping.answered.set_result(True)

    # -- writing --

    def _leaves(self, message: SmppMessage) -> None:
        """It has its number, and is about to be written."""
        if isinstance(message, Submit):
            if self._link is None:
                raise LinkFailed("the link has just ended")
            self._window.leaves(message)
        elif isinstance(message, Ping):
            self._pings[message.sequence_num] = message

    async def ask(self) -> bool:
        """Ask whether the SMSC is there. True: it has answered, so it has read what was written before.
        False: it has not, or the link has ended."""
        if self._link is None:
            return False
        ping = Ping()
        ping.answered = asyncio.get_running_loop().create_future()
        try:
            await self._send_data(ping)
            return await asyncio.wait_for(ping.answered, self.socket_timeout)
        except (OSError, TimeoutError):
            self._pings.pop(ping.sequence_num, None)
            return False

    async def _connection_keeper(self) -> None:
        await self._working(self._keep())

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            quiet = loop.time() - self._heard
            if quiet < self.enquire_link_interval:
                await asyncio.sleep(self.enquire_link_interval - quiet)
                continue
            asked = loop.time()
            if not await self.ask() and self._heard <= asked:
                raise LinkFailed("it does not answer any more")
