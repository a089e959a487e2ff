"""What aiosmpplib wants to be given, where its own does not fit: nothing that is logged, remembered, or
slowed down here."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from aiosmpplib import (
    AbstractCorrelator,
    AbstractHook,
    AbstractRetryTimer,
    AbstractThrottleHandler,
)
from aiosmpplib.protocol import DeliverSm, SmppMessage, SubmitSm

from backends.sms.smpp.standing import Standing
from backends.sms.smpp.times import Times

SILENT = logging.CRITICAL + 10
"""Its logger would tell texts, and writes JSON to the terminal; what matters we log ourselves."""


class Hook(AbstractHook):  # type: ignore[misc]
    """Tells of each message that is about to be written; by then it has its sequence number."""

    def __init__(self, sending: Callable[[SmppMessage], None]) -> None:
        self._sending = sending

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
        """See AbstractHook."""
        self._sending(smpp_message)

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        """See AbstractHook."""

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        """See AbstractHook."""


class NoThrottle(AbstractThrottleHandler):  # type: ignore[misc]
    """The window and the pace say when something may go out."""

    async def throttled(self) -> None:
        """See AbstractThrottleHandler."""

    async def not_throttled(self) -> None:
        """See AbstractThrottleHandler."""

    async def allow_request(self) -> bool:
        """See AbstractThrottleHandler."""
        return True

    async def throttle_delay(self) -> float:
        """See AbstractThrottleHandler."""
        return 0.0


class NoCorrelator(AbstractCorrelator):  # type: ignore[misc]
    """The window knows what waits for an answer, the core what waits for a receipt."""

    def get_cumulated_status(self, ref_num: int) -> int:
        """See AbstractCorrelator."""
        return 0

    async def expired(self, smpp_message: SmppMessage) -> None:
        """See AbstractCorrelator."""

    async def put(self, smpp_message: SmppMessage) -> None:
        """See AbstractCorrelator."""

    async def put_delivery(self, smsc_message_id: str, submit_sm: SubmitSm) -> None:
        """See AbstractCorrelator."""

    async def put_delivery_segmented(self, deliver_sm: DeliverSm) -> DeliverSm | None:
        """See AbstractCorrelator."""
        return None

    async def get(self, response: SmppMessage) -> SmppMessage | None:
        """See AbstractCorrelator."""
        return None

    async def get_segmented(self, smpp_seq_num: int, remove: bool = False) -> tuple[Any, int]:
        """See AbstractCorrelator."""
        return None, 0

    async def get_delivery(self, receipt: DeliverSm) -> SubmitSm | None:
        """See AbstractCorrelator."""
        return None


class Retry(AbstractRetryTimer):  # type: ignore[misc]
    """How long to wait before the link is made again: see `Times`. Waits are drawn by chance from half to all
    of their span, so that many gateways do not come back together."""

    def __init__(self, times: Times, standing: Standing) -> None:
        self._times = times
        self._standing = standing
        self._tries = 0
        self._up: float | None = None

    async def wait(self) -> None:
        """Wait."""
        await asyncio.sleep(self.next_delay())
        self._tries += 1

    def reset(self) -> None:
        """The link is up. One that breaks at once does not begin anew."""
        self._up = time.monotonic()

    def next_delay(self) -> float:
        """In seconds."""
        if self._up is not None and time.monotonic() - self._up >= self._times.steady:
            self._tries = 0
        self._up = None
        times = self._times
        if self._standing.wrong_login:
            span = times.login
        elif self._tries == 0:
            span = times.quick
        else:
            span = min(times.most, times.first * 2.0 ** min(self._tries - 1, 16))
        return span * random.uniform(0.5, 1.0)
