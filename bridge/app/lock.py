"""One process for one data folder: a second bridge on the same store would send everything twice."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "bridge.lock"


class Locked(Exception):
    """The data folder can't be ours; the text says why and what to do."""


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """The data folder (made if missing) is ours inside the `with`. The lock ends with the process, also in a
    crash. Raises Locked."""
    path = data_dir / NAME
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(data_dir, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise Locked(f"a bridge (process {holder}) is using {data_dir}; stop it first") from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise _unwritable(data_dir, error) from None
        yield
    finally:
        os.close(descriptor)


def _unwritable(data_dir: Path, error: OSError) -> Locked:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "make room there" if full else "check the path and its owner"
    return Locked(f"data_dir {data_dir} can't be written: {error.strerror}; {advice}")
