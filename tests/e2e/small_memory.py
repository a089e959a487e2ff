"""The bridge with memories so small that they are full at once: what still grows is kept by mistake.

At SIGUSR2 it empties its caches and appends a line to the file BLOCKS: the memory blocks that Python has
allocated, and how much is under way (tasks, among others), or will be forgotten by itself in a moment."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import signal
import sys
from pathlib import Path

import backends.irc.backend
import backends.irc.link
import backends.irc.unheard
import bridge.store.archive
import bridge.xmpp.chatcommands
import bridge.xmpp.clients
from bridge.api import Recent
from bridge.app import run
from bridge.app.cli import main
from bridge.core.gateway import Gateway
from bridge.core.sentids import Senders, SentIds
from bridge.store.health import Health
from bridge.xmpp.addresses import Addresses

FULL = 16
SECONDS = 0.1


def be_small() -> None:
    """Of all that is remembered of the newest so many."""
    for kind in (Senders, SentIds):
        kind.__init__.__defaults__ = (FULL,)
    bridge.xmpp.clients.USERS = FULL
    bridge.xmpp.chatcommands.DIALOGUES = FULL
    bridge.store.archive._MOST_ROOMS = FULL
    backends.irc.backend._MOST_GHOSTS = FULL
    backends.irc.link._MOST_CORRESPONDENTS = FULL
    backends.irc.unheard._MOST = FULL
    Recent.__init__.__defaults__ = (FULL, SECONDS)


def tell() -> None:
    """Forget what may be forgotten, and count."""
    gc.unfreeze()
    busy = len(asyncio.all_tasks())
    for known in gc.get_objects():
        if type(known) is functools._lru_cache_wrapper:
            known.cache_clear()
        elif type(known) is Addresses:
            known.rooms.clear()
        elif type(known) is Gateway:
            known.outbound.forget_idle()
            for live in known._pool.all():
                known._pool.forget(live)  # one that is idle, in time
            counts = known.counts()
            busy += sum(counts.values())
            busy += known._ground.store.writer.backlog
    timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
    for timer in timers:
        if timer._callback.__name__ == "_unanswered":  # a minute's patience with a join, long answered
            timer.cancel()
    busy += sum(isinstance(getattr(timer._callback, "__self__", None), (Recent, Health)) for timer in timers)
    del timers
    gc.collect()
    with Path(os.environ["BLOCKS"]).open("a") as file:
        file.write(f"{sys.getallocatedblocks()} {busy}\n")


class Telling(run.App):
    async def _serve(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, tell)
        await super()._serve()


if __name__ == "__main__":
    be_small()
    run.App = Telling
    main()
