"""When Python looks for objects that refer to each other and to which nothing else does.

Left to itself it looks at those that have lived for long only after some two million new ones: here that may
be days, and whatever of the kind has ended by then is still in memory. The C library, too, keeps what was
freed, and gives back only what lies at the end."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import sys
from collections.abc import Callable

log = logging.getLogger(__name__)

_YOUNG = 20_000
"""So many new objects more than are gone make the garbage collector look at the new ones: a millisecond."""
SWEEP_SECONDS = 60.0
SWEEP_AT = 50_000
"""A sweep is due when Python has so many blocks (about 90 bytes each) and a quarter more than after the last
one: so the time for it, a millisecond for some 10,000 objects, belongs to at least so much that is new."""


_ARENA_MAX = -8  # glibc's M_ARENA_MAX


def one_heap() -> None:
    """Before the first thread: one heap of the C library for all threads, unless the admin has said
    otherwise. With one each, most of what the database's threads free is kept for these alone: some MB."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        _c_function("mallopt")(_ARENA_MAX, 1)


def _c_function(name: str) -> Callable[..., int]:
    """A function of glibc. Elsewhere one that does nothing."""
    try:
        return ctypes.CDLL(None)[name]
    except (AttributeError, OSError):
        return lambda *_: 0


def settle() -> None:
    """At the end of the start."""
    # What is here now stays to the end. Frozen, its 70,000 objects no longer cost 25 ms at each full
    # collection, during which nothing else runs.
    gc.collect()
    gc.freeze()
    gc.enable()  # the command line has it off while all is loaded
    # A burst makes thousands of messages that reference counts alone take down again; looking for
    # cycles among them at each 700 costs a tenth of all processor time.
    gc.set_threshold(_YOUNG)


class Sweeper:
    """Sweeps once there is much more than after the last time, of whichever kind."""

    def __init__(self, blocks: int) -> None:
        self._rest = blocks

    def due(self, blocks: int) -> bool:
        """Whether to sweep, with so many blocks in use."""
        self._rest = min(self._rest, blocks)
        return blocks > self._rest + SWEEP_AT + self._rest // 4

    def swept(self, blocks: int) -> None:
        """What is left after a sweep is in use, or will be looked at again with the next quarter."""
        self._rest = blocks


async def keep_swept() -> None:
    """Look every minute."""
    sweeper = Sweeper(sys.getallocatedblocks())
    trim = _c_function("malloc_trim")
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        if sweeper.due(sys.getallocatedblocks()):
            found = gc.collect()
            sweeper.swept(sys.getallocatedblocks())
            log.debug("a sweep found %d objects that nothing used", found)
        # All pages that are free as a whole go back to the system: a millisecond or two for 100 MB.
        trim(ctypes.c_size_t(0))
