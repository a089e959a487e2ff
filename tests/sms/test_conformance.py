"""The suite that every backend passes, with a message centre and the phones behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from backends.sms.backend import SmsBackend
from backends.sms.numbers import ASSIGNED
from backends.sms.options import NumberOptions, Options
from backends.sms.smpp.options import SmppOptions
from bridge.api import (
    Account,
    AccountId,
    AskPing,
    AskProfile,
    AskRooms,
    Attachment,
    Backend,
    ContactAddress,
    ContactId,
    Content,
    CorrectMessage,
    DirectChat,
    Host,
    JoinRoom,
    MarkDisplayed,
    MessageId,
    NetworkId,
    RetractMessage,
    RoomChat,
    RoomId,
    RunCommand,
    SendMessage,
    SendReceipt,
    Session,
    SetAvailability,
    SetReactions,
    SetTyping,
)
from bridge.testing.conformance import BackendConformance
from bridge.testing.fake_gateway import FakeGatewayHost
from bridge.testing.fake_host import FakeHost
from bridge.testing.scenario import Scenario
from tests.peers.daemon import scratch
from tests.peers.smsc import PASSWORD, SYSTEM_ID, PhoneNetwork, Smsc, phone_network, running_smsc

NETWORK = NetworkId("")
ALICE, ALSO_ALICE = "+15550001111", "+15550001112"
ROSE, SPY = "+15550109999", "+15550106666"
ROSES = DirectChat(ContactId(ROSE))
USER = "user@example.org"
OFFLINE = SmppOptions(host="localhost", port=1, tls="off", system_id=SYSTEM_ID)

RECEIPT = "id:1 sub:001 dlvrd:001 submit date:2611210000 done date:2611210001 stat:DELIVRD err:000 text:"
EVIL = f"\0{SPY[1:]}\0\x01\x01\x1b\r\n\x05\x00\x03\x01\x02\x01{RECEIPT}\0\udcff"


def _options(route: SmppOptions) -> Options:
    return Options(country="US", routes={"main": route}, numbers={ALICE: NumberOptions(user=USER)})


def said(key: str, text: str, **more: Attachment) -> SendMessage:
    """A message to rose."""
    return SendMessage(ROSES, key, Content(text), said_at=int(key) + 1)


class SmsScenario(Scenario):
    """Alice's two numbers, and rose, whom she texts; nobody texts the spy."""

    account = Account(AccountId("test"), USER, NETWORK, {ASSIGNED: f"{ALSO_ALICE} main", "country": "US"})
    addresses = (
        ContactAddress(NETWORK, ContactId(ROSE)),
        ContactAddress(NETWORK, ContactId("+4915112345678")),
        ContactAddress(NETWORK, ContactId("72975;phone-context=+1")),
        ContactAddress(NETWORK, ContactId("my bank")),
    )
    own_addresses = ("5550109999", "(555) 010-9999", "15550109999", "72975")
    bad_addresses = (
        "+1",
        "+999999999999999999",
        "12",
        "72975;phone-context=",
        "72975;phone-context=+999",
        "123456789;phone-context=+1",
        ";phone-context=+1",
        "ROSE",
        "+1555\0",
        "",
    )
    commands = (
        said("1", "hello"),
        SendMessage(ROSES, "2", Content("waves\nfrom afar", action=True), said_at=2),
        SendMessage(ROSES, "3", Content("yes", quoted="Tea?\nOr not?"), MessageId("main x"), said_at=3),
        SendMessage(ROSES, "4", Content("look", attachments=(Attachment("https://x.invalid/y"),)), said_at=4),
        said("5", "a long one, with € and emoji 👩‍👩‍👧‍👦 " * 9),
        said("6", "x" * 10_000),
        said("7", "/number"),
        said("8", "/number 2"),
        said("9", "/number +49301"),
        said("10", ""),
        SendMessage(DirectChat(ContactId("my bank")), "11", Content("thanks"), said_at=11),
        SendMessage(DirectChat(ContactId("72975;phone-context=+1")), "12", Content("YES"), said_at=12),
        CorrectMessage(ROSES, "13", MessageId("main x"), Content("hallo")),
        RetractMessage(ROSES, MessageId("main x")),
        SetReactions(ROSES, MessageId("main x"), ("👍",)),
        SetTyping(ROSES, True),
        SendReceipt(ROSES, MessageId("main x")),
        MarkDisplayed(ROSES, MessageId("main x")),
        SetAvailability(True, "out"),
        RunCommand("whatever"),
        JoinRoom(RoomId("room"), "nick"),
        SendMessage(RoomChat(RoomId("room")), "14", Content("hello")),
    )
    queries = (
        AskPing(ContactId(ROSE)),
        AskProfile(ContactId(ROSE)),
        AskProfile(ContactId("my bank")),
        AskRooms(),
    )
    injections = (
        said("1", EVIL),
        said("2", EVIL * 20),
        SendMessage(ROSES, EVIL, Content("hello", subject=EVIL, quoted=EVIL), MessageId(EVIL), said_at=1),
        SendMessage(ROSES, "3", Content("", attachments=(Attachment(EVIL, EVIL, EVIL),)), said_at=3),
        SendMessage(DirectChat(ContactId(f"{ROSE}\0{SPY}")), "4", Content("hello")),
        SendMessage(DirectChat(ContactId(f"{ROSE},{SPY}")), "5", Content("hello")),
        SendMessage(DirectChat(ContactId(f"{ROSE}\r\n{SPY}")), "6", Content("hello")),
        SendMessage(DirectChat(ContactId(f"72975\0;phone-context=+1{SPY}")), "7", Content("hello")),
        SendMessage(ROSES, "8", Content(f"/number 1\0{SPY}"), said_at=8),
        SendMessage(ROSES, "9", Content(f"/number {SPY}"), said_at=9),
    )

    def __init__(self) -> None:
        self._options = _options(OFFLINE)
        self._gateway = FakeGatewayHost()
        self._phones: PhoneNetwork | None = None
        self._bound: SmsBackend | None = None
        self._serving: list[asyncio.Task[None]] = []
        self._sent = 0

    def backend(self) -> Backend:
        """A new one; inside `network` it serves, and who served before no longer does."""
        if self._phones is None:
            return SmsBackend(self._options)
        if self._bound is not None:
            bound, self._bound = self._bound, None
            return bound
        return self._served()

    def _served(self) -> SmsBackend:
        for task in self._serving:
            task.cancel()
        backend = _Watched(self._options, self)
        self._serving.append(asyncio.create_task(backend.serve(self._gateway)))
        return backend

    @asynccontextmanager
    async def network(self) -> AsyncIterator[None]:
        """A message centre of its own, with a backend bound to it."""
        with contextlib.ExitStack() as stack:
            smsc = stack.enter_context(running_smsc())
            self._settle_in(smsc, stack.enter_context(scratch("conformance")))
            async with phone_network(smsc) as self._phones:
                self._bound = self._served()
                await self._phones.wait("bind")
                await self._phones.do("enquire")
                await self._phones.wait("alive")  # it reads what comes by the link, so it writes, too
                try:
                    yield
                finally:
                    for task in self._serving:
                        task.cancel()
                    await asyncio.gather(*self._serving, return_exceptions=True)

    def _settle_in(self, smsc: Smsc, folder: Path) -> None:
        password_file = folder / "password"
        password_file.write_text(PASSWORD)
        route = SmppOptions(
            host="localhost", port=smsc.tls_port, ca_file=str(smsc.ca_file), system_id=SYSTEM_ID,
            password_file=str(password_file),
        )  # fmt: skip
        self._options = Options(
            country="US", routes={"main": route}, numbers={ALICE: NumberOptions(user=USER)}
        )

    def opened(self, host: Host) -> None:
        """A session was opened with that host: its account has the numbers."""
        assert isinstance(host, FakeHost)
        self._gateway.hosts = {ALICE: host, ALSO_ALICE: host}

    def smuggled(self) -> Sequence[str]:
        """Texts to others than rose, or from others than alice."""
        assert self._phones is not None
        submits = [each["pdu"] for each in self._phones.of_kind("submit")]
        assert submits, "nothing was sent at all"
        return [str(pdu) for pdu in submits if not _is_from_alice_to_rose(pdu)]

    async def incoming(self) -> None:
        """Rose texts alice. What the bridge answers at once is seen when this returns: it has been asked some
        questions after that, and has answered them."""
        assert self._phones is not None
        self._sent = await self._phones.text(ROSE, ALICE, "Tea at five?")
        for _ in range(3):
            answered = len(self._phones.of_kind("alive"))
            await self._phones.do("enquire")
            await self._phones.wait("alive", count=answered + 1)

    def acknowledged(self) -> bool:
        """The message centre has the answer to it."""
        assert self._phones is not None
        return any(each["n"] == self._sent for each in self._phones.of_kind("answer"))

    async def wait_acknowledged(self) -> None:
        """Until it has."""
        assert self._phones is not None
        assert await self._phones.answer(self._sent) == 0


def _is_from_alice_to_rose(pdu: Mapping[str, object]) -> bool:
    return pdu["destination_addr"] == ROSE[1:] and f"+{pdu['source_addr']}" in (ALICE, ALSO_ALICE)


class _Watched(SmsBackend):
    """Tells its scenario which host its session has."""

    def __init__(self, options: Options, scenario: SmsScenario) -> None:
        super().__init__(options)
        self._scenario = scenario

    def open(self, account: Account, host: Host) -> Session:
        """See `Backend.open`."""
        self._scenario.opened(host)
        return super().open(account, host)


class TestSms(BackendConformance):
    """The suite."""

    scenario_class = SmsScenario
