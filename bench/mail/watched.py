"""The bridge with its event loop watched: `python -m bench.mail.watched run -c FILE`.

A task sleeps a millisecond again and again; what it is late is how long the loop did nothing else. At SIGUSR2
the longest since the last time is written to `watch.json` beside the configuration."""

from __future__ import annotations

import asyncio
import asyncio.events
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.app import run
from bridge.app.cli import main

TICK = 0.001
_run_handle = asyncio.events.Handle._run


class Watch:
    """The longest gap in seconds, how much CPU this process used in it, and the longest callback,
    with its name."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.gap = self.gap_cpu = self.callback = 0.0
        self.name = ""

    async def tick(self) -> None:
        """Until it is cancelled."""
        while True:
            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK)
            gap = time.perf_counter() - began - TICK
            if gap > self.gap:
                self.gap, self.gap_cpu = gap, time.process_time() - cpu

    def timing(self) -> Callable[[Any], None]:
        """What runs a callback of the loop, for the class of them."""

        def run(handle: Any) -> None:
            began = time.perf_counter()
            _run_handle(handle)
            took = time.perf_counter() - began
            if took > self.callback:
                self.callback, self.name = took, repr(handle)[:500]

        return run

    def tell(self, file: Path) -> None:
        """Write down what was seen, and begin anew."""
        found = {"gap": self.gap, "gap_cpu": self.gap_cpu, "callback": self.callback, "name": self.name}
        new = file.with_suffix(".new")
        new.write_text(json.dumps(found))
        new.rename(file)
        self.forget()


class WatchedApp(run.App):
    async def _serve(self) -> None:
        watch, file = Watch(), Path(sys.argv[-1]).with_name("watch.json")
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, watch.tell, file)
        asyncio.events.Handle._run = watch.timing()  # type: ignore[assignment, method-assign]
        ticking = asyncio.create_task(watch.tick())
        try:
            await super()._serve()
        finally:
            ticking.cancel()


if __name__ == "__main__":
    run.App = WatchedApp  # type: ignore[misc]
    main()
