"""A worker process that wants more memory for each job than it may have."""

from __future__ import annotations

from pathlib import Path

from backends.email.values import Limits, ReadMail
from backends.email.worker import child


def greedy(path: Path, folder: Path, limits: Limits) -> ReadMail:
    return ReadMail(id=str(len(bytes(2 * 1024**3))))


if __name__ == "__main__":
    child.read_mail = greedy
    child.main()
