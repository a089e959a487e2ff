"""Keeps something going that is to go on for good: what goes wrong with one is not the others' trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bridge.api import ConnectionLost

log = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0


async def kept(what: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run for good: one carrier's trouble is not the others'."""
    told = ""
    while True:
        try:
            await run()
            log.error("%s ended by itself", what)
        except ConnectionLost as error:
            if str(error) != told:
                log.error("%s: %s", what, error)
            told = str(error)
        except Exception:
            log.exception("%s failed", what)
        await asyncio.sleep(AGAIN_SECONDS)
