"""Knows who has a TCP port on this machine, as far as the kernel tells us."""

from __future__ import annotations

import os
from pathlib import Path

_LISTEN = "0A"


def owner_of(port: int) -> str | None:
    """ "name (pid N)" of the process that listens at a port; None when it cannot be found out."""
    inodes = set(_listening_sockets(port))
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and inodes & _sockets_of(process):
            name = (process / "comm").read_text().strip()
            return f"{name} (pid {process.name})"
    return None


def _listening_sockets(port: int) -> list[str]:
    found = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.append(f"socket:[{fields[9]}]")
    return found


def _sockets_of(process: Path) -> set[str]:
    found = set()
    try:
        for link in (process / "fd").iterdir():
            found.add(os.readlink(link))
    except OSError:
        pass  # another user's process, or one that has just ended
    return found
