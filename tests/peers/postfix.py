"""Knows how a throw-away Postfix is configured: mail in by SMTP and submission, out to listeners on
loopback, bounces made, and a queue that can be looked into."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.daemon import Daemon, PeerFailed, find_program, free_port, own, running, scratch
from tests.peers.tls import make_certificates

_PROGRAMS = "/usr/lib/postfix/sbin"

_MAIN = {
    "compatibility_level": "3.6",
    "command_directory": "/usr/sbin",
    "daemon_directory": _PROGRAMS,
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "alias_maps": "",
    "alias_database": "",
    "local_recipient_maps": "",
    "default_transport": "error:5.4.4 no outside mail in tests",
    "smtp_host_lookup": "native",
    "smtpd_tls_security_level": "may",
    "smtpd_recipient_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject",
    "smtpd_client_connection_rate_limit": "0",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_error_sleep_time": "0",
    "smtpd_tls_loglevel": "1",
    "smtp_tls_loglevel": "1",
    "lmtp_tls_loglevel": "1",
    "smtputf8_enable": "yes",
    "in_flow_delay": "0",
    "message_size_limit": "50000000",
    "mailbox_size_limit": "0",
    "virtual_mailbox_limit": "0",
    # A mail that could not be delivered is tried again within some seconds, not within minutes.
    "queue_run_delay": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
    "transport_retry_time": "1s",
    "smtp_destination_concurrency_failed_cohort_limit": "0",
    "lmtp_destination_concurrency_failed_cohort_limit": "0",
}

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{submission_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Route:
    """Mail for a domain goes to a listener on loopback, by `lmtp` or by `smtp`."""

    domain: str
    port: int
    protocol: str = "lmtp"


class Postfix(Daemon):
    """A running Postfix. `port` takes mail for the routes' domains from anybody, with STARTTLS where wanted;
    `submission_port` wants STARTTLS and AUTH; `tls_port` speaks TLS from the first byte and wants AUTH. AUTH
    needs `sasl_port` (a Dovecot's auth listener, or `tests.peers.sasl`). `settings` go into main.cf."""

    name = "postfix"

    def __init__(
        self,
        folder: Path,
        routes: Sequence[Route],
        sasl_port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.host_name = "mail.example.org"
        self.port, self.submission_port, self.tls_port = free_port(), free_port(), free_port()
        super().__init__(folder, [self.port, self.submission_port, self.tls_port])
        folder.chmod(0o755)  # its parts run as their own user, and must find the way to the queue
        self.queue_folder = folder / "queue"
        certificates = make_certificates(folder, self.host_name)
        self.ca_file = certificates.ca_file
        self._settings = _MAIN | {
            "myhostname": self.host_name,
            "queue_directory": str(self.queue_folder),
            "data_directory": str(folder / "data"),
            "maillog_file": str(self.log_file),
            "maillog_file_prefixes": str(folder),
            "smtpd_tls_cert_file": str(certificates.cert_file),
            "smtpd_tls_key_file": str(certificates.key_file),
        }
        self._settings |= _sasl(sasl_port) | _routing(routes) | dict(settings or {})
        self._write_files()

    def _write_files(self) -> None:
        for name in ("queue", "data"):
            (self.folder / name).mkdir()
        own(self.folder / "data", "postfix")
        self._write_main()
        ports = {"port": self.port, "submission_port": self.submission_port, "tls_port": self.tls_port}
        (self.folder / "master.cf").write_text(_MASTER.format(**ports))

    def _write_main(self) -> None:
        lines = [f"{key} = {value}\n" for key, value in self._settings.items()]
        (self.folder / "main.cf").write_text("".join(lines))

    def command(self) -> list[str]:
        if os.geteuid() != 0:
            raise PeerFailed("Postfix can be started by root only")
        # Not by way of `postfix start-fg`, whose process is not the one to stop and to kill.
        return [find_program("master", _PROGRAMS), "-c", str(self.folder), "-s"]

    def start(self) -> None:
        """Start it on the queue that is there. Raises PeerFailed with the log's end."""
        if not (self.queue_folder / "pid").exists():
            self._run("postfix", "check")  # makes the queue's folders
        super().start()

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [find_program(program), "-c", str(self.folder), *words],
            capture_output=True,
            check=False,
            text=True,
            timeout=20,
        )
        if done.returncode != 0:
            raise PeerFailed(f"{program} {' '.join(words)}: {done.stderr}")
        return done.stdout

    def setting(self, name: str) -> str:
        """A line of main.cf."""
        return self._settings[name]

    async def wait_log(self, text: str, seconds: float = 30.0) -> None:
        """Return when it has logged this."""
        async with asyncio.timeout(seconds):
            while text not in self.log_text():
                await asyncio.sleep(0.05)

    async def configure(self, **settings: str) -> None:
        """Change lines of main.cf, and start again."""
        self._settings |= settings
        self._write_main()
        await self.restart()

    def queue(self) -> list[dict[str, Any]]:
        """What waits: a mail each, with `queue_name`, `sender` and `recipients` (with `delay_reason`)."""
        return [json.loads(line) for line in self._run("postqueue", "-j").splitlines()]

    def flush(self) -> None:
        """Try everything that waits now."""
        self._run("postqueue", "-f")

    @contextlib.asynccontextmanager
    async def nudged(self) -> AsyncIterator[None]:
        """Inside the `with` it looks at its queue each second: by itself it looks again at a mail that was
        still being given up when it looked last only when another comes."""

        async def nudge() -> None:
            while True:
                await asyncio.to_thread(self.flush)
                await asyncio.sleep(1)

        task = asyncio.create_task(nudge())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def wait_queue(self, size: int, seconds: float = 30.0) -> list[dict[str, Any]]:
        """The queue once that many mails are in it. Raises PeerFailed."""
        async with asyncio.timeout(seconds):
            while len(found := await asyncio.to_thread(self.queue)) != size:
                await asyncio.sleep(0.05)
        return found


def _sasl(port: int | None) -> dict[str, str]:
    if port is None:
        return {}
    return {
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"inet:127.0.0.1:{port}",
    }


def _routing(routes: Sequence[Route]) -> dict[str, str]:
    hop = {"lmtp": "lmtp:inet:127.0.0.1", "smtp": "smtp:[127.0.0.1]"}
    table = ", ".join(f"{{ {route.domain} = {hop[route.protocol]}:{route.port} }}" for route in routes)
    return {
        "virtual_mailbox_domains": ", ".join(r.domain for r in routes),
        "transport_maps": f"inline:{{ {table} }}" if routes else "",
    }


@contextlib.contextmanager
def running_postfix(
    routes: Sequence[Route], sasl_port: int | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Postfix]:
    """A fresh Postfix with an empty queue, gone after the `with`."""
    with scratch("postfix") as folder, running(Postfix(folder, routes, sasl_port, settings)) as server:
        yield server
