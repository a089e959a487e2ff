"""Knows how mail to our domain comes in: who is there to take it, and when it is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from backends.email.arrivals import Arrivals
from backends.email.departures import Tools
from backends.email.options import MIB, Options, host_and_port
from backends.email.session import uploaded
from backends.email.smtp import inbound
from backends.email.smtp.inbound import Answer, Envelope, ListenOptions, Protocol
from backends.email.smtp.listener import Listener
from backends.email.values import ReadMail
from backends.email.worker.pool import Busy
from bridge.api import AuthFailed, ConnectionLost, GatewayHost, Host, TransferFailed

log = logging.getLogger(__name__)


AT_ONCE = 8
"""Recipients of one mail who are given it at the same time: each has its files uploaded."""


class Reception:
    """The listeners of one gateway, and what they ask."""

    def __init__(self, options: Options, tools: Tools, arrivals: Arrivals, gateway: GatewayHost) -> None:
        self._options = options
        self._tools = tools
        self._arrivals = arrivals
        self._gateway = gateway

    @asynccontextmanager
    async def open(self) -> AsyncIterator[list[Listener]]:
        """Listen inside the block. Raises `ConnectionLost` where that is not possible now."""
        listeners: list[Listener] = []
        try:
            for protocol, where in (
                (Protocol.SMTP, self._options.smtp_listen),
                (Protocol.LMTP, self._options.lmtp_listen),
            ):
                if where:
                    listeners.append(await self._listen(protocol, where))
            yield listeners
        finally:
            await asyncio.gather(*(listener.stop() for listener in listeners))

    async def check(self, address: str) -> Answer:
        """Whether somebody holds an address (`smtp.inbound.Check`)."""
        try:
            return inbound.NO_MAILBOX if await self._holder(address) is None else inbound.KNOWN
        except ConnectionLost:
            return inbound.NOT_NOW

    async def deliver(self, envelope: Envelope, path: Path) -> Mapping[str, Answer]:
        """Take a mail for all its recipients (`smtp.inbound.Deliver`)."""
        try:
            async with self._tools.worker.read(path, self._tools.spool) as mail:
                turns = asyncio.Semaphore(AT_ONCE)
                taken = [self._take(address, mail, turns) for address in envelope.recipients]
                answers = await asyncio.gather(*taken)
        except (Busy, OSError) as error:
            log.warning("mail %s is not taken for now: %s", envelope.id, error)
            return dict.fromkeys(envelope.recipients, inbound.NO_ROOM)
        return dict(zip(envelope.recipients, answers, strict=True))

    async def _listen(self, protocol: Protocol, where: str) -> Listener:
        host, port = host_and_port(f"{protocol.value}_listen", where)
        options = ListenOptions(
            domains=(self._options.domain,),
            spool=self._tools.spool,
            hostname=self._options.hostname or self._options.domain,
            protocol=protocol,
            host=host,
            port=port,
            size_limit=self._options.max_mail * MIB,
            cert_file=self._options.cert_file,
            key_file=self._options.key_file or self._options.cert_file,
            listen_from=self._options.listen_from,
        )
        listener = Listener(options, self.check, self.deliver)
        try:
            await listener.start()
        except OSError as error:
            raise ConnectionLost(f"can't listen for mail at {where}: {error.strerror or error}") from error
        log.info("taking mail for %s by %s at %s", self._options.domain, protocol.value.upper(), where)
        return listener

    async def _holder(self, address: str) -> Host | None:
        """The account that takes mail for an address, which may have a `+tag`. Raises `ConnectionLost`."""
        name, _, domain = address.rpartition("@")
        claim = f"{name.partition('+')[0]}@{domain}"
        if name == "postmaster" and self._options.postmaster:
            claim = self._options.postmaster
        try:
            return await self._gateway.holder(claim)
        except AuthFailed:
            return None

    async def _take(self, address: str, mail: ReadMail, turns: asyncio.Semaphore) -> Answer:
        """Whatever happens to one recipient, the others get theirs."""
        try:
            async with turns:
                return await self._taken(address, mail)
        except (ConnectionLost, TransferFailed) as error:
            log.warning("mail to %s is not taken for now: %s", address, error)
        except Exception:
            log.exception("mail to %s is not taken for now", address)
        return inbound.NOT_NOW

    async def _taken(self, address: str, mail: ReadMail) -> Answer:
        host = await self._holder(address)
        if host is None:
            return inbound.NO_MAILBOX
        if host.congested:
            return inbound.NOT_NOW
        own = frozenset({address, host.account.settings.get("email", address)})
        await self._arrivals.take(host, own, mail, partial(uploaded, host))
        return inbound.TAKEN
