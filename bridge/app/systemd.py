"""Tells systemd how we are (sd_notify(3)); does nothing where systemd did not start us."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send `READY=1`, `STOPPING=1`, `STATUS=...` or `WATCHDOG=1`. A socket that is gone does no harm."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return


async def keep_watchdog(environ: Mapping[str, str] = os.environ) -> None:
    """Say WATCHDOG=1 twice as often as systemd wants to hear it, from the event loop: a loop that hangs falls
    silent. Returns at once where no watchdog is set."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while True:
        notify("WATCHDOG=1", environ)
        await asyncio.sleep(int(microseconds) / 2_000_000)
