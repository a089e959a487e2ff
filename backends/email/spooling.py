"""Knows the folder for mails under way: where it is, and what is left in it by a bridge that was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from backends.email.smtp.spool import clear_spool

_TEMPORARY = "xmpp-bridge-mail-"
_LOCK = ".in-use"
_OURS = ("mail-*", "out-*", "sent-*")
_STARTED = time.time()
_locks: dict[Path, int] = {}
"""By folder, kept open for as long as the process lives: so others see that it is in use."""


def open_spool(wanted: str) -> Path:
    """The folder: the one that is wanted, or a temporary one of our own."""
    return Path(wanted) if wanted else Path(tempfile.mkdtemp(prefix=_TEMPORARY))


def clear(spool: Path) -> None:
    """Remove what a bridge that was killed left: whoever sent that still has it. Blocks."""
    clear_spool(spool)
    for pattern in _OURS:
        for left in spool.glob(pattern):
            if _is_older(left):
                _remove(left)
    if spool.name.startswith(_TEMPORARY):
        _lock(spool)
        for other in spool.parent.glob(f"{_TEMPORARY}*"):
            if other != spool and _is_older(other) and _nobody_has(other):
                _remove(other)


def close_spool(spool: Path) -> None:
    """The folder is not used any more. Blocks."""
    if spool.name.startswith(_TEMPORARY):
        _remove(spool)


def _is_older(path: Path) -> bool:
    """Whether it is from before this process, and ours."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return found.st_mtime < _STARTED and found.st_uid == os.geteuid()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _lock(folder: Path) -> None:
    if folder in _locks:
        return
    number = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _locks[folder] = number


def _nobody_has(folder: Path) -> bool:
    try:
        number = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(number)
    return True
