"""Knows how a real server is started in a folder of its own, waited for, shown when it fails, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

# Below the range that the kernel takes for outgoing connections, so that nobody takes a port
# between our look and the server's bind.
# Each of the processes of one test run has ports of its own: what one has found free another may bind.
_SHARE = int("".join(filter(str.isdecimal, os.environ.get("PYTEST_XDIST_WORKER", ""))) or 0) % 4
_PORTS = range(12000, 32000)[_SHARE * 5000 : (_SHARE + 1) * 5000]
_handed_out: set[int] = set()

RUNNING: list[Daemon] = []
"""Every server that is up now, so that a failing test can show their logs."""


class PeerFailed(RuntimeError):
    """A real server did not start or stop as it should; the text holds the end of its log."""


def free_port() -> int:
    """A TCP port on loopback that is free now, and given out once only by this process."""
    for _ in range(1000):
        port = random.choice(_PORTS)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise PeerFailed("no free TCP port found on 127.0.0.1")


def find_program(name: str, *folders: str) -> str:
    """The path of a server's program; also looks where Debian hides daemons. Raises PeerFailed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/bin", *folders])
    found = shutil.which(name, path=path)
    if found is None:
        raise PeerFailed(f"{name} is not installed (scripts/test installs it)")
    return found


def as_user(user: str | None) -> list[str]:
    """The words that go before a command which must not run as root; none for an ordinary user."""
    if user is None or os.geteuid() != 0:
        return []
    entry = pwd.getpwnam(user)
    return [find_program("setpriv"), f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def own(path: Path, user: str | None) -> None:
    """Give a file or a whole folder to the user that the server runs as (only root needs to)."""
    if user is None or os.geteuid() != 0:
        return
    entry = pwd.getpwnam(user)
    for each in [path, *(path.rglob("*") if path.is_dir() else ())]:
        os.chown(each, entry.pw_uid, entry.pw_gid)


@contextlib.contextmanager
def scratch(name: str, user: str | None = None) -> Iterator[Path]:
    """A folder of its own for one server, removed afterwards.

    It lies directly in the system's temporary folder: a server under another user could not
    enter pytest's, and a Unix socket's path must be short.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"xb-{name}-"))
    own(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Daemon:
    """One server process: `start`, `stop`, `kill`, and what it logged.

    `ports` are those that accept connections once the server is up.
    """

    name = "server"
    user: str | None = None
    start_seconds = 20.0
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self.folder = folder
        self.ports = tuple(ports)
        self.log_file = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The words that start the server in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def ready(self) -> bool:
        """Whether the server is up: each of its ports takes a connection."""
        return all(accepts(port) for port in self.ports)

    @property
    def pid(self) -> int:
        """The server's process id; raises PeerFailed when it is not running."""
        if self._process is None:
            raise PeerFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's process; raises PeerFailed when it is not running."""
        if self._process is None:
            raise PeerFailed(f"{self.name} is not running")
        return self._process

    @property
    def alive(self) -> bool:
        """Whether the process that was started is still there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it is up. Raises PeerFailed with the log's end."""
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*as_user(self.user), *self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        RUNNING.append(self)
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not self.ready():
            if process.poll() is not None:
                raise PeerFailed(f"{self.name} ended with {process.returncode} at start\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise PeerFailed(f"{self.name} not up after {self.start_seconds} s\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask the server to end and wait until it has; a server that is down already is fine."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self.stop_signal)
            self._reap(self._process)

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        if self._process is not None:
            self._kill_group(self._process)
            self._reap(self._process)

    async def restart(self, *, crash: bool = False) -> None:
        """Stop (or crash) and start again on the same data and ports, without blocking the loop."""
        await asyncio.to_thread(self.kill if crash else self.stop)
        await asyncio.to_thread(self.start)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            self._kill_group(process)
            process.wait(15)
        # Helpers that the server left in its process group (Erlang has some) go with it.
        self._kill_group(process)
        self._process = None
        if self in RUNNING:
            RUNNING.remove(self)

    @staticmethod
    def _kill_group(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def log_text(self) -> str:
        """All that the server logged, and what it wrote to its terminal."""
        files = [file for file in (self.folder / "output.log", self.log_file) if file.exists()]
        return "".join(file.read_text("utf-8", "replace") for file in files)

    def log_tail(self, lines: int = 25) -> str:
        """The end of the log, for messages about a failure."""
        return "\n".join([f"--- {self.name} log ---", *self.log_text().splitlines()[-lines:]])


D = TypeVar("D", bound=Daemon)


def accepts(port: int) -> bool:
    """Whether something on loopback takes connections at this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(daemon: D) -> Iterator[D]:
    """The server is up inside the `with`, and gone after it."""
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
