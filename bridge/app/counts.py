"""How much is going on in the process, in one line for an admin who looks for what grows."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from bridge.core.gateway import Gateway

_OPEN = Path("/proc/self/fd")


def counts(gateways: Mapping[str, Gateway]) -> str:
    """`tasks=9 threads=3 files=21 blocks=310234; irc.example.org: sessions=2 rooms=3 ...`

    `files` are open files and sockets (-1: not known on this system), `blocks` what Python has allocated:
    steady, unlike resident memory, where nothing leaks. The rest is `Gateway.counts`.
    """
    files = len(os.listdir(_OPEN)) if _OPEN.is_dir() else -1
    process = {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": files,
        "blocks": sys.getallocatedblocks(),
    }
    parts = [_words(process)]
    parts += [f"{name}: {_words(gateway.counts())}" for name, gateway in gateways.items()]
    return "; ".join(parts)


def _words(numbers: Mapping[str, int]) -> str:
    return " ".join(f"{name}={number}" for name, number in numbers.items())
