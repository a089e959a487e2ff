"""Knows how a short message centre (SMSC) runs on npm's `smpp` (`smsc.js`), and how a test is the phone
network behind it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.peers.daemon import Daemon, find_program, free_port, running, scratch
from tests.peers.tls import make_certificates

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/smsc"
INSTALLED = CACHE / ".installed"
"""Is there when all is that npm is asked for."""
SYSTEM_ID, PASSWORD = "bridge", "secret12"
PROMPT_SECONDS = 10.0

Event = dict[str, Any]


class Smsc(Daemon):
    """A running SMSC: `port` speaks plain SMPP, `tls_port` TLS with a certificate that `ca_file` vouches for.
    It takes `SYSTEM_ID` with `PASSWORD`."""

    name = "smsc"

    def __init__(self, folder: Path) -> None:
        self.port, self.tls_port, self.control_port = free_port(), free_port(), free_port()
        super().__init__(folder, [self.port, self.tls_port, self.control_port])
        certificates = make_certificates(folder, "smsc.example.org")
        self.ca_file = certificates.ca_file
        self._config = {
            "port": self.port,
            "tlsPort": self.tls_port,
            "controlPort": self.control_port,
            "certFile": str(certificates.cert_file),
            "keyFile": str(certificates.key_file),
            "systemId": SYSTEM_ID,
            "password": PASSWORD,
        }

    def command(self) -> list[str]:
        return [find_program("node"), str(ROOT / "tests/peers/smsc.js"), json.dumps(self._config)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "NODE_PATH": str(CACHE / "node_modules")}


class PhoneNetwork:
    """What a test asks of the SMSC, and hears of it.

    `events` is all that happened since the last `reset`, in order: `bind`, `submit`, `text` (a phone has a
    whole text), `answer` (of the ESME to a deliver_sm; `receipt` is the id of the text that it tells of),
    `enquiry`, `unbind`, `closed`, ...
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[Event] = []
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while line := await self._reader.readline():
            said = json.loads(line)
            if "event" in said:
                self.events.append(said)
                self._news.set()
            elif "error" in said:
                self._answers.pop(said["id"]).set_exception(AssertionError(said["error"]))
            else:
                self._answers.pop(said["id"]).set_result(said["ok"])

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()

    async def do(self, command: str, **wanted: Any) -> Any:
        """One of the commands at the end of `smsc.js`. What happened before it is in `events` then."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": number, "do": command, **wanted}).encode() + b"\n")
        return await asyncio.wait_for(answer, PROMPT_SECONDS)

    async def reset(self) -> None:
        """Forget everything, and break every link."""
        await self.do("reset")
        self.events.clear()

    async def rule(self, number: str = "*", **rule: Any) -> None:
        """What happens to texts to a number (`*`: to all that have no rule of their own).

        `status` refuses (only `times`, and after `after` others), `nack` answers by generic_nack, `delay`
        answers after so many ms, `answer=False` never, `drop` breaks the link instead; `take=False`: no phone
        gets it. `id`: "hex", "zeros", "long". `reports`: a list of receipts, each with `stat`, `err`, `ms`,
        `early` (before the answer), `ids` ("hex", "decimal", "stripped"), `tlvs`, `text`, `esm_class`; []:
        never.
        """
        await self.do("rule", number=number, rule=rule)

    async def set(self, **wanted: Any) -> None:
        """`window`, `retryMs`, `rate` (of submits that are taken), `bindStatus`, `password`, `mute` (commands
        that are not answered; "*": all)."""
        await self.do("set", **wanted)

    async def deliver(self, fields: Mapping[str, Any], **more: Any) -> int:
        """Send a deliver_sm (again until the ESME takes it); returns its number `n`. `more`: `command`,
        `once`."""
        return int(await self.do("deliver", fields=dict(fields), **more))

    async def deliver_raw(self, body: bytes, command: int = 5, **more: Any) -> int:
        """Send a PDU with any body. `more`: `once`, `status`, `length`."""
        return int(await self.do("deliver", body=body.hex(), command_id=command, **more))

    async def text(self, source: str, destination: str, text: str | bytes, **fields: Any) -> int:
        """A phone sends a short text: a `str` in the default alphabet, or bytes as they are."""
        message = {"hex": text.hex()} if isinstance(text, bytes) else text
        return await self.deliver({**address(source, destination), "short_message": message, **fields})

    async def inbox(self, number: str) -> list[str]:
        """All texts that a phone got, doubles too."""
        return [each["text"] for each in await self.do("inbox", number=number)]

    async def counts(self) -> dict[str, int]:
        """How often what happened; `sessions` are bound now."""
        return dict(await self.do("counts"))

    def of_kind(self, kind: str) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in self.events if event["event"] == kind]

    async def news(self) -> list[Event]:
        """Wait until something has happened, and take it out of `events`."""
        while not self.events:
            self._news.clear()
            await self._news.wait()
        happened, self.events = self.events, []
        return happened

    async def wait(
        self,
        kind: str,
        where: Callable[[Event], object] = lambda event: True,
        count: int = 1,
        seconds: float = PROMPT_SECONDS,
    ) -> list[Event]:
        """Wait until so many events of this kind have been, also those before; returns them."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    found = [event for event in self.of_kind(kind) if where(event)]
                    if len(found) >= count:
                        return found
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(
                f"not {count} times {kind!r} in {seconds} s; there were {self.events[-40:]}"
            ) from None

    async def answer(self, number: int, seconds: float = PROMPT_SECONDS) -> int:
        """The last status that the ESME answered to deliver_sm `number`."""
        return int(
            (await self.wait("answer", lambda event: event["n"] == number, seconds=seconds))[-1]["status"]
        )


def address(source: str, destination: str) -> dict[str, Any]:
    """The fields for two numbers, as networks write them: international, without +."""
    return {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": source.lstrip("+"),
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": destination.lstrip("+"),
    }


@contextlib.asynccontextmanager
async def phone_network(smsc: Smsc) -> AsyncIterator[PhoneNetwork]:
    """The phone network behind an SMSC, with nothing left from before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", smsc.control_port, limit=2**24)
    network = PhoneNetwork(reader, writer)
    try:
        await network.reset()
        yield network
    finally:
        await network.close()


@contextlib.contextmanager
def running_smsc() -> Iterator[Smsc]:
    """A fresh SMSC, gone after the `with`."""
    with scratch("smsc") as folder, running(Smsc(folder)) as smsc:
        yield smsc
