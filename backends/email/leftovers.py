"""Knows what a crash leaves in the folder for mails under way, and removes it."""

from __future__ import annotations

import shutil
from pathlib import Path

from backends.email.smtp.spool import clear_spool

_PATTERNS = ("mail-*", "out-*", "sent-*.eml")


def clear(folder: Path, before: float) -> None:
    """Make the folder, and remove what is older than a time (epoch seconds). Call it before anybody listens.
    Blocks."""
    clear_spool(folder)
    for path in [path for pattern in _PATTERNS for path in folder.glob(pattern)]:
        if path.stat().st_mtime >= before:
            continue  # a session's, or another gateway's that has the same folder
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
