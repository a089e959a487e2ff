"""One route by SMPP: see `backends.sms.carrier.Carrier`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial

from backends.sms.carrier import Desk
from backends.sms.smpp.arrivals import Arrivals
from backends.sms.smpp.bind import Bind
from backends.sms.smpp.dialing import dial
from backends.sms.smpp.options import SmppOptions, read_password, tls_context
from backends.sms.smpp.pace import Pace
from backends.sms.smpp.sending import Sender
from backends.sms.smpp.standing import Standing
from backends.sms.smpp.times import Times
from backends.sms.smpp.window import Window
from backends.sms.values import Outgoing
from bridge.api import AccountId, Capabilities, Host, Outcome, Resolver, Support

log = logging.getLogger(__name__)

AFTER_A_FAULT = 5.0
"""How soon a link that ended for a bug of ours is begun again."""

_CAPABILITIES = Capabilities(attachment=Support.TEXT)


class SmppCarrier:
    """The link of route `name`, and all that goes over it."""

    def __init__(
        self, name: str, options: SmppOptions, resolver: Resolver, times: Times | None = None
    ) -> None:
        """Reads the files that the options name. Raises `ValueError`, naming the option."""
        self._name = name
        self._options = options
        self._times = times or Times()
        self._password = read_password(options, name)
        context = tls_context(options, name)
        self._dial = partial(dial, resolver, options.host, options.tcp_port, context)
        self._standing = Standing(name, options.host, options.tcp_port)
        self._window = Window(
            options.window, Pace(options.rate), options.response_seconds, self._standing.why_down
        )
        self._sender = Sender(name, options, self._window, self._times)
        self._arrivals: Arrivals | None = None
        self._woken: dict[AccountId, Host] = {}

    @property
    def capabilities(self) -> Capabilities:
        """See `Carrier.capabilities`."""
        return _CAPABILITIES

    @property
    def status(self) -> str:
        """How it stands with the link, for the admin: where it goes to, and why there is none."""
        return self._standing.text

    def segments(self, text: str) -> int:
        """See `Carrier.segments`."""
        return self._sender.writer.count(text)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """See `Carrier.send`."""
        return await self._sender.send(outgoing)

    async def connected(self, host: Host, number: str) -> None:
        """See `Carrier.connected`."""
        self.wake(host)

    def wake(self, host: Host) -> None:
        """Look after the parts of texts that an account waits for."""
        if self._arrivals is None:
            self._woken[host.account.id] = host
        else:
            self._arrivals.background.start(self._arrivals.texts.wake(host))

    async def close(self) -> None:
        """See `Carrier.close`: nothing is held outside of `run`."""

    async def run(self, desk: Desk) -> None:
        """See `Carrier.run`. Cancelled, it leaves in good order: what is under way has a moment to end."""
        bind = self._bind(desk)
        arrivals = self._arrivals
        assert arrivals is not None
        for host in self._woken.values():
            self.wake(host)
        self._woken.clear()
        self._window.open()
        linked = asyncio.create_task(self._keep(bind))
        try:
            await asyncio.wait([linked])
        finally:
            # Its own task, since this one is being cancelled.
            await asyncio.create_task(self._leave(bind, arrivals))
            linked.cancel()
            await asyncio.gather(linked, return_exceptions=True)
            self._arrivals = None

    def _bind(self, desk: Desk) -> Bind:
        async def ask() -> bool:
            return await bind.ask()

        arrivals = self._arrivals = Arrivals(self._name, self._options, desk, self._times, ask)
        bind = Bind(
            self._options, self._password, self._dial, self._window, self._standing, arrivals, self._times
        )
        return bind

    async def _keep(self, bind: Bind) -> None:
        """Nothing but a bug ends the library's loop; then it is begun again."""
        while True:
            try:
                await bind.start()
            except Exception:
                log.exception("a fault of the SMPP carrier, route %s", self._name)
                bind.abandon()
            else:
                return
            await asyncio.sleep(AFTER_A_FAULT)

    async def _leave(self, bind: Bind, arrivals: Arrivals) -> None:
        """Nothing new goes out; what waits for an answer, ours or the carrier's, may still get it."""
        self._window.close()
        try:
            async with asyncio.timeout(self._times.leave):
                await self._window.answered_all()
                await arrivals.settle()
        except TimeoutError:
            log.info("route %s: left while something was under way", self._name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._times.unbind):
                await arrivals.texts.ledgers.settle()
        await bind.leave()
        await arrivals.stop()
