"""What all conversations of one listener share: who is asked about recipients and mails, and how many mails
are under way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from backends.email.smtp.door import Door
from backends.email.smtp.inbound import NOT_NOW, Answer, Check, Deliver, Envelope, ListenOptions
from backends.email.smtp.spool import Spool

log = logging.getLogger(__name__)


class Desk:
    """Asks `check` and `deliver` so that whatever they do, there is an answer."""

    def __init__(self, options: ListenOptions, door: Door, check: Check, deliver: Deliver) -> None:
        self.options = options
        self.domains = tuple(each.lower() for each in options.domains)
        self.door = door
        self.slots = asyncio.Semaphore(options.limits.data_at_once)
        self._check = check
        self._deliver = deliver
        self._deliveries: set[asyncio.Task[dict[str, Answer]]] = set()

    async def check(self, address: str) -> Answer:
        """Whether there is mail taken for this address."""
        try:
            async with asyncio.timeout(self.options.limits.check_seconds):
                return await self._check(address)
        except Exception:
            log.exception("a recipient could not be checked")
            return NOT_NOW

    async def deliver(self, envelope: Envelope, spool: Spool) -> Mapping[str, Answer]:
        """An answer for each recipient. The spool is discarded in the end. Goes on when it is cancelled: the
        client may have hung up, but the mail is here."""
        task = asyncio.create_task(self._store(envelope, spool))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)
        return await asyncio.shield(task)

    async def _store(self, envelope: Envelope, spool: Spool) -> dict[str, Answer]:
        try:
            spool.close()
            async with asyncio.timeout(self.options.limits.deliver_seconds):
                answers = await self._deliver(envelope, spool.path)
            return {each: answers.get(each, NOT_NOW) for each in envelope.recipients}
        except Exception:
            log.exception("mail %s could not be stored; its sender keeps it for now", envelope.id)
            return dict.fromkeys(envelope.recipients, NOT_NOW)
        finally:
            discard(spool)

    async def finish(self, seconds: float) -> None:
        """Wait for the deliveries under way; those that take longer are interrupted."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=seconds)
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)


def discard(spool: Spool) -> None:
    """Remove a mail's file; one that cannot be removed changes no answer."""
    try:
        spool.discard()
    except OSError:
        log.warning("%s cannot be removed", spool.path, exc_info=True)
