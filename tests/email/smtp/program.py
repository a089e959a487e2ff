"""A process of its own with a listener and a client in it, to be measured and killed.

    program.py FOLDER PORT PROTOCOL

It answers each line of its input with a line: `report` with JSON (`peak` and `resident` in octets since the
last report, `stall` in seconds), `send PORT FILE` with the outcome. Mails are told as `mail MESSAGE-ID
SIZE`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from backends.email.smtp.client import Submitter
from backends.email.smtp.inbound import KNOWN, TAKEN, Answer, Envelope, ListenOptions, Protocol
from backends.email.smtp.listener import Listener
from backends.email.smtp.spool import clear_spool
from backends.email.smtp.transaction import Mail
from backends.email.values import Security, Server
from bridge.testing.fake_host import FakeHost
from tests.email.smtp.support import DOMAIN, stalls


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def report(stall: list[float]) -> str:
    found = {"peak": _status("VmHWM"), "resident": _status("VmRSS"), "stall": stall[0]}
    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured anew
    stall[0] = 0.0
    return json.dumps(found)


async def check(address: str) -> Answer:
    return KNOWN


async def deliver(envelope: Envelope, path: Path) -> Mapping[str, Answer]:
    with path.open("rb") as file:
        head = file.read(4096).decode()
    found = next((line[12:] for line in head.splitlines() if line.lower().startswith("message-id: ")), "")
    say(f"mail {found} {path.stat().st_size}")
    return dict.fromkeys(envelope.recipients, TAKEN)


async def main(folder: Path, port: int, protocol: Protocol) -> None:
    say(f"cleared {clear_spool(folder)}")
    options = ListenOptions((DOMAIN,), folder, "bridge.example.org", protocol, port=port)
    listener = Listener(options, check, deliver)
    await listener.start()
    submitter = Submitter(FakeHost())
    say(f"up {listener.port}")
    with stalls() as stall:
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, *rest = line.split()
            if word == "report":
                say(report(stall))
            else:
                mail = Mail(Path(rest[1]), "alice@example.org", ("bob@example.net",))
                handed = await submitter.send(Server("localhost", int(rest[0]), Security.PLAIN), None, mail)
                say(repr(handed.outcomes["bob@example.net"]))
    await submitter.close()
    await listener.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Protocol(sys.argv[3])))
