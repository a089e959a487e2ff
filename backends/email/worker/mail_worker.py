"""The way in for everybody else: mails are read and written without the event loop ever waiting for it.

worker = MailWorker()
async with worker.read(path, spool) as mail:   # a ReadMail; its files are there until the block ends
    ...
async with worker.write(draft, spool) as mail:  # a WrittenMail; its file is there until the block ends
    ...
await worker.close()
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from backends.email.reading.unread import unread
from backends.email.values import Draft, Limits, ReadMail, SavedFile, WrittenMail
from backends.email.worker.jobs import Compose, Failed, Invalid, NoFile, Read, WasRead, WasWritten
from backends.email.worker.pool import Pool

_CHEAP = 16 * 1024
"""Octets of a mail that are looked at in this process, when the other could not read it."""


class CannotWrite(Exception):
    """A draft that can't be written for a reason of ours (time, memory, a bug); it is in the words."""


class MailWorker:
    """Reads and writes mails in a process of its own. `spool` is a folder, which must exist, on a disk with
    room for a few mails; each call makes a folder of its own in it, and removes that at the end of its
    block: move or upload what you want to keep before. If this process is killed they stay; empty the spool
    at the start. All methods raise `Busy` if far too much is waiting."""

    def __init__(self, pool: Pool | None = None, limits: Limits | None = None) -> None:
        self._pool, self._limits = pool or Pool(), limits or Limits()

    @asynccontextmanager
    async def read(self, path: Path, spool: Path) -> AsyncIterator[ReadMail]:
        """The mail in a file, read. A mail that can't be read, whatever it does, comes with a `problem`, with
        what its header says, and with itself as `original`. The file is not changed.

        Raises OSError if files can't be read or written (as when the disk is full): then, and only then, it
        makes sense to try again."""
        async with _folder(spool) as folder:
            answer = await self._pool.do(Read(str(path), str(folder), self._limits))
            match answer:
                case WasRead(mail=mail):
                    yield mail
                case NoFile(number=number, why=why, path=place):
                    raise OSError(number, why, place)
                case Failed(why=why):
                    yield await asyncio.to_thread(_tombstone, path, folder, why)
                case _:
                    raise AssertionError(f"an answer to another question: {type(answer).__name__}")

    @asynccontextmanager
    async def write(self, draft: Draft, spool: Path) -> AsyncIterator[WrittenMail]:
        """A draft, written to a file.

        Raises ValueError if the draft can't be a mail (a bad address, nobody to write to), OSError if files
        can't be read or written, `CannotWrite` otherwise."""
        async with _folder(spool) as folder:
            answer = await self._pool.do(Compose(draft, str(folder / "mail.eml")))
            match answer:
                case WasWritten(mail=mail):
                    yield mail
                case Invalid(why=why):
                    raise ValueError(why)
                case NoFile(number=number, why=why, path=place):
                    raise OSError(number, why, place)
                case Failed(why=why):
                    raise CannotWrite(why)
                case _:
                    raise AssertionError(f"an answer to another question: {type(answer).__name__}")

    async def close(self) -> None:
        """End the processes."""
        await self._pool.close()


@asynccontextmanager
async def _folder(spool: Path) -> AsyncIterator[Path]:
    """A new folder in the spool, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="mail-", dir=spool))
    try:
        yield folder
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def _tombstone(path: Path, folder: Path, why: str) -> ReadMail:
    """What can be said of a mail that could not be read, with the mail itself as a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(_CHEAP)
        file.seek(0)
        while piece := file.read(64 * 1024):
            digest.update(piece)
        size = file.tell()
    kept = folder / "original.eml"
    try:
        os.link(path, kept)
    except OSError:
        shutil.copyfile(path, kept)  # another disk, or one that knows no links
    original = SavedFile(str(kept), "mail.eml", "message/rfc822", size)
    return unread(head, f"{digest.hexdigest()[:40]}@digest.invalid", why, original)
