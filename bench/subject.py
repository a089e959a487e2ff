"""The process under test: the bridge, or the floor; started, measured from outside, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bench.ends import DOMAIN, NETWORK, SERVER, IrcEnd, XmppEnd

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0
_CACHE = tempfile.TemporaryDirectory(prefix="xb-bench-cache-")
_TICKS = os.sysconf("SC_CLK_TCK")

_CONFIG = """\
data_dir = "{folder}"
[xmpp]
host = "127.0.0.1"
port = {xmpp_port}
domain = "{server}"
[archive]
enabled = {archive}
[limits]
messages_per_second = 1000000.0
message_burst = 1000000
waiting_per_chat = 1000000
connects_at_once = 1000
[log]
level = "warning"
[gateway."{domain}"]
backend = "irc"
secret = "bench"
allow_private_networks = true
[gateway."{domain}".options]
throttle_burst = -1
[gateway."{domain}".options.networks."{network}"]
host = "localhost"
port = {irc_port}
tls = "off"
"""


class Subject:
    """A running process between the two ends. `started` is the time from its start to the handshake, in
    seconds; `failed` has the complaint of an end, if there is one."""

    def __init__(
        self, pid: int, xmpp: XmppEnd, irc: IrcEnd, started: float, failed: asyncio.Future[None]
    ) -> None:
        self.failed = failed
        self.pid = pid
        self.xmpp = xmpp
        self.irc = irc
        self.started = started

    def cpu(self) -> float:
        """Seconds of CPU that all its threads have used, in user and kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss(self) -> int:
        """Resident memory in KiB."""
        return self._memory("VmRSS")

    def peak(self) -> int:
        """The most resident memory that it had, in KiB."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise RuntimeError(f"/proc/{self.pid}/status has no {name}")


@contextlib.asynccontextmanager
async def running(
    *, floor: bool = False, archive: bool = False, others: int = 5, wrapper: Sequence[str] = ()
) -> AsyncIterator[Subject]:
    """The bridge (or the floor) attached to fresh ends; ended after the `async with`."""
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    xmpp, irc = XmppEnd(failed), IrcEnd(others, failed)
    async with contextlib.AsyncExitStack() as stack:
        xmpp_server = await loop.create_server(lambda: xmpp, "127.0.0.1", 0)
        stack.callback(xmpp_server.close)
        irc_server = await loop.create_server(irc.connection, "127.0.0.1", 0)
        stack.callback(irc_server.close)
        ports = [server.sockets[0].getsockname()[1] for server in (xmpp_server, irc_server)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xb-bench-")))
        words = _floor_words(ports, archive, folder) if floor else _bridge_words(folder, ports, archive)
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, *wrapper, *words, cwd=folder, env=_environment()
        )
        stack.push_async_callback(_end, process)
        async with asyncio.timeout(START_SECONDS):
            await xmpp.accepted.wait()
        yield Subject(process.pid, xmpp, irc, time.perf_counter() - began, failed)


def _environment() -> dict[str, str]:
    """Compiled modules are kept, as they are for any installed program, whatever this shell says."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": _CACHE.name}


def _bridge_words(folder: Path, ports: Sequence[int], archive: bool) -> list[str]:
    text = _CONFIG.format(
        folder=folder, xmpp_port=ports[0], irc_port=ports[1], archive=str(archive).lower(),
        domain=DOMAIN, server=SERVER, network=NETWORK,
    )  # fmt: skip
    file = folder / "config.toml"
    file.write_text(text)
    file.chmod(0o600)
    return ["-m", "bridge", "run", "-c", str(file)]


def _floor_words(ports: Sequence[int], archive: bool, folder: Path) -> list[str]:
    kept = str(folder / "floor.db") if archive else ""
    return ["-m", "bench.floor", *map(str, ports), kept]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
