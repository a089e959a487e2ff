"""Knows how a mail that is coming in is kept in a file, so that it costs no memory and its writing never
holds up the event loop."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

PREFIX = "incoming-"


def clear_spool(folder: Path) -> int:
    """Make the folder, and remove what a crash left in it (whoever sent that has no answer, and sends it
    again); how many files that were. Call it before the first listener starts. Blocks."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = list(folder.glob(f"{PREFIX}*"))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


class Spool:
    """A file that grows. Make it with `create`; `discard` it at the end. All may raise `OSError`."""

    def __init__(self, number: int, path: Path) -> None:
        self._number = number
        self.path = path
        self.size = 0

    @classmethod
    async def create(cls, folder: Path) -> Spool:
        """A new, empty one that only we can read."""
        number, path = await asyncio.to_thread(tempfile.mkstemp, prefix=PREFIX, dir=folder)
        return cls(number, Path(path))

    async def write(self, data: bytes) -> None:
        """Add to it."""
        await asyncio.to_thread(_write_all, self._number, data)
        self.size += len(data)

    def close(self) -> None:
        """Nothing more is added."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def discard(self) -> None:
        """Remove it, if nobody has moved it away."""
        self.close()
        self.path.unlink(missing_ok=True)


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]
