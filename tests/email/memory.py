"""Measures the memory of processes while something is going on in them, or in their children."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def resident(pid: int) -> int:
    """Octets of a process's own that are in memory: what is shared with nobody, and its part of the rest."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024


def descendants(pid: int) -> list[int]:
    """The process and its children, theirs, and so on."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def together(pid: int) -> int:
    """The memory of a process and its descendants, in octets: that of other tests' servers is in it, too."""
    return sum(map(resident, descendants(pid)))


class Peak:
    """The highest sum that was seen."""

    octets = 0


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Sample the memory of a process and its descendants as often as possible while the block runs."""
    peak, done = Peak(), threading.Event()

    def sample() -> None:
        while not done.wait(0.005):
            try:
                peak.octets = max(peak.octets, together(pid))
            except (FileNotFoundError, ProcessLookupError):
                continue  # a process ended while it was looked at

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
