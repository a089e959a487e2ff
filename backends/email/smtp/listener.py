"""Takes mails in: a listener for SMTP or LMTP on the running event loop."""

from __future__ import annotations

import asyncio
import logging

from backends.email.smtp.certificate import Certificate
from backends.email.smtp.conversation import TOO_SLOW, Conversation
from backends.email.smtp.desk import Desk
from backends.email.smtp.door import Door
from backends.email.smtp.inbound import Answer, Check, Deliver, ListenOptions

log = logging.getLogger(__name__)

GOING = Answer(421, "4.3.2", "Closing down, try again later")


class Listener:
    """One port. `start` it, `stop` it. What `check` and `deliver` owe is said at their types."""

    def __init__(self, options: ListenOptions, check: Check, deliver: Deliver) -> None:
        self._options = options
        self._door = Door(options.networks, options.limits)
        self._desk = Desk(options, self._door, check, deliver)
        self._certificate: Certificate | None = None
        self._server: asyncio.Server | None = None
        self._open: dict[Conversation, tuple[str, asyncio.TimerHandle]] = {}

    @property
    def port(self) -> int:
        """Where it listens (the options' port may be 0: any). Raises `RuntimeError` before `start`."""
        if self._server is None:
            raise RuntimeError("the listener was not started")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._open)

    async def start(self) -> None:
        """Listen. Raises `OSError` where the port is taken, or the certificate cannot be read."""
        if self._options.cert_file:
            files = (self._options.cert_file, self._options.key_file)
            self._certificate = await asyncio.to_thread(Certificate, *files)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Doorman(self), self._options.host, self._options.port, backlog=200
        )

    async def stop(self, seconds: float = 2.0) -> None:
        """Take no more connections, let the mails that are in be stored for so long, hang up."""
        if self._server is not None:
            self._server.close()
        await self._desk.finish(seconds)
        for conversation in list(self._open):
            conversation.hang_up(GOING)

    def _admit(self, transport: asyncio.Transport) -> None:
        peername = transport.get_extra_info("peername")
        if not peername:
            transport.abort()  # it was gone before we came
            return
        peer = str(peername[0])
        if refusal := self._door.enter(peer):
            log.info("a mail connection from %s was turned away: %s", peer, refusal)
            transport.write(f"{refusal}\r\n".encode())
            transport.close()
            return
        tls = self._certificate.context() if self._certificate else None
        conversation = Conversation(self._desk, peer, tls, self._over)
        loop, limits = asyncio.get_running_loop(), self._options.limits
        timer = loop.call_later(limits.session_seconds, conversation.hang_up, TOO_SLOW)
        self._open[conversation] = (peer, timer)
        transport.set_protocol(conversation)
        conversation.connection_made(transport)

    def _over(self, conversation: Conversation) -> None:
        peer, timer = self._open.pop(conversation)
        timer.cancel()
        self._door.leave(peer)


class _Doorman(asyncio.Protocol):
    """Meets a connection, and hands it over to a conversation if it may come in."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._listener._admit(transport)
