"""Knows how a test runs the SMPP carrier: bound to an SMSC, with a desk where the texts arrive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from backends.sms.smpp.carrier import SmppCarrier
from backends.sms.smpp.options import SmppOptions
from backends.sms.smpp.times import Times
from backends.sms.values import Arrived, Outgoing, Report, Verdict
from bridge.api import (
    Account,
    AccountId,
    ConnectionLost,
    ContactId,
    Content,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Host,
    MessageId,
    MessageReceived,
    NetworkId,
    OccupantId,
    Reason,
)
from bridge.testing.fake_host import FakeHost
from tests.peers.smsc import PASSWORD, SYSTEM_ID, PhoneNetwork, Smsc

ROUTE = "main"
OURS, OTHERS = "+15550000001", "+15550000002"
PHONE = "+15551111111"
QUICK = Times(
    connect=2.0, quick=0.02, first=0.05, most=0.2, login=0.1, steady=0.2, busy=3.0, fence=0.02, tidy=0.05,
    stored=3.0,
)  # fmt: skip


class StoringHost(FakeHost):
    """A host whose store can be out (`out`), and which counts what is saved without an event. `dead`: whoever
    still asks was killed, and nothing of it is kept."""

    def __init__(self, account: str) -> None:
        super().__init__(Account(AccountId(account), f"{account}@example.org", NetworkId("")))
        self.out = False
        self.dead = False
        self.saves = 0

    def emit(self, event: Any, *, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        """As the bridge does where the database is out."""
        if self.dead:
            return asyncio.get_running_loop().create_future()
        if self.out:
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(down())
            return refused
        return super().emit(event, cursor=cursor)

    def refuse_unstored(self, count: int | None = None) -> None:
        """The first so many of what is not stored cannot be stored, nor their cursors."""
        refused = self._unstored[:count]
        del self._unstored[:count]
        first = len(self.events) - len(refused) - len(self._unstored)
        del self.events[first : first + len(refused)]
        for stored, _ in refused:
            stored.set_exception(down())

    async def save(self, name: str, value: str) -> None:
        """Counted."""
        if self.dead:
            await asyncio.get_running_loop().create_future()
        if self.out:
            raise down()
        self.saves += 1
        await super().save(name, value)

    async def cursor(self, name: str) -> str | None:
        """Not while the store is out."""
        if self.out:
            raise down()
        return await super().cursor(name)


def down() -> ConnectionLost:
    """What the bridge raises while its database is out."""
    return ConnectionLost("The gateway's storage is not available.", Reason.STORE_DOWN)


class TestDesk:
    """Where texts and reports arrive: each of `hosts` has a number."""

    __test__ = False

    def __init__(self, *numbers: str) -> None:
        self.hosts = {
            number: StoringHost(f"account {at}") for at, number in enumerate(numbers or (OURS, OTHERS))
        }
        self.arrived: list[Arrived] = []
        self.reports: list[Report] = []
        self.asked: list[tuple[str, str]] = []
        self.out = False
        self._news = asyncio.Event()

    async def holder(self, number: str, route: str) -> Host | None:
        """Whose number it is."""
        self.asked.append((number, route))
        if self.out:
            raise down()
        return self.hosts.get(number)

    def text(self, host: Host, arrived: Arrived, *, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        """Told to the host as the backend does."""
        chat = DirectChat(arrived.contact)
        event = MessageReceived(chat, OccupantId(""), arrived.id, Content(arrived.text), name=arrived.name)
        self.arrived.append(arrived)
        self._news.set()
        return host.emit(event, cursor=cursor)

    def report(self, host: Host, report: Report) -> Awaitable[None]:
        """Told to the host as the backend does."""
        self.reports.append(report)
        self._news.set()
        chat = DirectChat(report.contact)
        if report.verdict is Verdict.DELIVERED:
            return host.emit(Delivered(chat, report.id))
        return host.emit(DeliveryFailed(chat, report.id, report.text))

    @property
    def texts(self) -> list[str]:
        """What has arrived."""
        return [each.text for each in self.arrived]

    async def wait(self, met: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until something holds that only arrivals change."""
        try:
            async with asyncio.timeout(seconds):
                while not met():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not in {seconds} s; arrived: {self.texts}, {self.reports}") from None


def options(smsc: Smsc, folder: Path, **more: Any) -> SmppOptions:
    """Those of a route to an SMSC; its password lies in `folder`."""
    password = folder / "password"
    if not password.exists():
        password.write_text(PASSWORD)
    settings = {"host": "127.0.0.1", "tls": "off", "port": smsc.port, **more}
    return SmppOptions(system_id=SYSTEM_ID, password_file=str(password), **settings)


class Stage:
    """A carrier that runs, between a desk and a phone network."""

    def __init__(self, carrier: SmppCarrier, desk: TestDesk, phones: PhoneNetwork) -> None:
        self.carrier = carrier
        self.desk = desk
        self.phones = phones
        self.running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run, and wait until it is bound."""
        for host in self.desk.hosts.values():
            host.dead = False
        before = (await self.phones.counts())["binds"]
        self.running = asyncio.create_task(self.carrier.run(self.desk))
        await self.bound(before + 1)

    async def bound(self, count: int) -> None:
        """Wait for the so-and-so-many-th bind, and until the carrier knows of it."""
        await self.phones.wait("bind", count=count)
        await until(lambda: self.carrier.status.startswith("connected"))

    async def stop(self) -> None:
        """End the carrier in good order."""
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            self.running = None

    async def kill(self) -> None:
        """What `kill -9` leaves: the link is gone, and what was stored until now is all there is."""
        for host in self.desk.hosts.values():
            host.dead = True
        await self.phones.do("drop")
        await self.stop()

    async def send(self, text: str, to: str = PHONE, key: str = "key") -> Any:
        """A user's text."""
        return await self.carrier.send(Outgoing(OURS, ContactId(to), text, key))


async def until(met: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds that has no event of its own."""
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def on_stage(
    smsc: Smsc,
    phones: PhoneNetwork,
    folder: Path,
    times: Times = QUICK,
    desk: TestDesk | None = None,
    **more: Any,
) -> AsyncIterator[Stage]:
    """A carrier, bound, and gone after the `async with`; with the `desk` of an earlier one it goes on with
    what that has stored."""
    carrier = SmppCarrier(ROUTE, options(smsc, folder, **more), FakeHost(), times)
    stage = Stage(carrier, desk or TestDesk(), phones)
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()


def ids(outcome: Any) -> list[MessageId]:
    """Those of the parts that went out."""
    return [part.id for part in outcome.parts]
