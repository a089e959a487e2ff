"""The suite that every backend passes, with a mailbox at Dovecot and Postfix to send by."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import policy
from email.parser import BytesParser
from pathlib import Path

from backends.email.backend import EmailBackend
from backends.email.options import Options
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
    Endpoint,
    Host,
    JoinRoom,
    MarkDisplayed,
    MessageId,
    NetworkId,
    RoomChat,
    RoomId,
    RunCommand,
    SendMessage,
    Session,
    SetAvailability,
    ThreadId,
)
from bridge.testing.conformance import BackendConformance
from bridge.testing.fake_host import FakeHost
from bridge.testing.scenario import Scenario
from tests.peers.daemon import scratch
from tests.peers.dovecot import Dovecot, running_dovecot
from tests.peers.postfix import Postfix, Route, running_postfix

NETWORK = NetworkId("")
OWN, ROSE, SPY = "alice@example.org", "rose@example.org", "spy@example.org"
ROSES = DirectChat(ContactId(ROSE))
PASSWORD = "secret"
EVIL = f"x\r\nBcc: {SPY}\r\nTo: {SPY}\r\n\r\n.\r\nRCPT TO:<{SPY}>\r\n\0"


class EmailScenario(Scenario):
    """Alice's mailbox, and rose, to whom she writes; nobody writes to the spy."""

    account = Account(AccountId("test"), user="user@example.org", network=NETWORK)
    addresses = (
        ContactAddress(NETWORK, ContactId(ROSE)),
        ContactAddress(NETWORK, ContactId("o'hara+tag%x=y@sub.example.org")),
        ContactAddress(NETWORK, ContactId("käthe@bücher.example")),
    )
    bad_addresses = (
        "rose",
        "@example.org",
        "rose@",
        "rose%",
        "%example.org",
        "a b@example.org",
        "a@b@example.org",
        "a\n@example.org",
        f"{'a' * 65}@example.org",
        f"a@{'b' * 260}.org",
    )
    commands = (
        SendMessage(ROSES, "1", Content("hello"), said_at=1),
        SendMessage(ROSES, "2", Content("*bold*\nlines", action=True), said_at=2),
        SendMessage(ROSES, "3", Content("about", subject="Tea"), MessageId("a@b"), ThreadId("t"), 3),
        SendMessage(ROSES, "4", Content("yes", quoted="Tea?\nOr not?"), MessageId("a@b"), said_at=4),
        SendMessage(
            ROSES, "5", Content("", attachments=(Attachment("https://nowhere.invalid/x"),)), said_at=5
        ),
        SendMessage(ROSES, "6", Content("/original"), said_at=6),
        MarkDisplayed(ROSES, MessageId("nobody@knows")),
        CorrectMessage(ROSES, "7", MessageId("a@b"), Content("hallo")),
        SetAvailability(True, "out"),
        RunCommand("whatever"),
        JoinRoom(RoomId("room"), "nick"),
        SendMessage(RoomChat(RoomId("room")), "8", Content("hello")),
    )
    queries = (AskPing(ContactId(ROSE)), AskProfile(ContactId(ROSE)), AskRooms())
    injections = (
        SendMessage(ROSES, EVIL, Content(EVIL, subject=EVIL), MessageId(EVIL), ThreadId(EVIL), 1),
        SendMessage(ROSES, "2", Content("hello", subject=EVIL), said_at=2),
        SendMessage(ROSES, "3", Content(f"Subject: {EVIL}\nhello"), said_at=3),
        SendMessage(ROSES, "4", Content("hello"), MessageId(f"a@b>\r\nBcc: {SPY}"), said_at=4),
        SendMessage(ROSES, "5", Content("hello", quoted=EVIL), said_at=5),
        SendMessage(ROSES, "6", Content("", attachments=(Attachment("https://x.invalid", EVIL, EVIL),))),
        SendMessage(DirectChat(ContactId(f"{ROSE}\r\nRCPT TO:<{SPY}>")), "7", Content("hello")),
        SendMessage(DirectChat(ContactId(f"{ROSE}>,<{SPY}")), "8", Content("hello")),
        SendMessage(DirectChat(ContactId(f"{ROSE},{SPY}")), "9", Content("hello")),
        MarkDisplayed(ROSES, MessageId(f'a@b"\r\nx STORE 1:* +FLAGS \\Deleted\r\n{EVIL}')),
    )

    def __init__(self) -> None:
        self._dovecot: Dovecot | None = None
        self._postfix: Postfix | None = None
        self._options = Options()
        self._incoming = 0
        self._host: FakeHost | None = None
        self._place: str | None = None

    def backend(self) -> Backend:
        """With this town's own authority; without a town, nothing that would connect."""
        return _Watched(self._options, self)

    @asynccontextmanager
    async def network(self) -> AsyncIterator[None]:
        """Servers of their own for each test, since some tests end them."""
        with contextlib.ExitStack() as stack:
            self._dovecot = dovecot = stack.enter_context(running_dovecot())
            routes = [Route("example.org", dovecot.lmtp_port)]
            self._postfix = stack.enter_context(running_postfix(routes, dovecot.auth_port))
            self._settle_in(stack.enter_context(scratch("conformance")))
            yield

    def _settle_in(self, folder: Path) -> None:
        dovecot, postfix = self._servers()
        for address in (OWN, ROSE, SPY):
            dovecot.add_account(address, PASSWORD)
        (folder / "both.pem").write_bytes(dovecot.ca_file.read_bytes() + postfix.ca_file.read_bytes())
        self._options = Options(ca_file=str(folder / "both.pem"), spool=str(folder))
        settings = {
            "kind": "mailbox",
            "email": OWN,
            "name": EVIL,
            "imap": f"tls {dovecot.tls_port} localhost",
            "imap_user": OWN,
            "smtp": f"starttls {postfix.submission_port} localhost",
            "smtp_user": OWN,
        }
        self.account = Account(
            AccountId("test"), "user@example.org", NETWORK, settings, {"password": PASSWORD}
        )

    def _servers(self) -> tuple[Dovecot, Postfix]:
        assert self._dovecot is not None
        assert self._postfix is not None
        return self._dovecot, self._postfix

    def smuggled(self) -> Sequence[str]:
        """What the spy got, and what came to rose that has somebody else in its header."""
        dovecot, postfix = self._servers()
        while postfix.queue():  # what was taken is on its way to somebody
            time.sleep(0.05)
        found = [f"the spy got: {mail!r}" for mail in dovecot.mails(SPY)]
        for raw in dovecot.mails(ROSE):
            mail = BytesParser(policy=policy.default).parsebytes(raw)
            if mail["To"] != ROSE or mail["Cc"] or mail["Bcc"] or len(mail.get_all("From", [])) != 1:
                found.append(f"rose got: {raw!r}")
        return found

    async def break_link(self) -> None:
        """The server crashes."""
        dovecot, _ = self._servers()
        await asyncio.to_thread(dovecot.kill)

    async def incoming(self) -> None:
        """Rose writes to alice."""
        self._incoming += 1
        self._place = self._saved()
        mail = f"From: {ROSE}\r\nTo: {OWN}\r\nMessage-ID: <{self._incoming}@example.org>\r\n\r\nHello\r\n"
        _, postfix = self._servers()

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
                smtp.sendmail(ROSE, [OWN], mail)

        await asyncio.to_thread(send)

    def opened(self, host: Host) -> None:
        """A session was opened with that host."""
        assert isinstance(host, FakeHost)
        self._host = host

    def _saved(self) -> str | None:
        assert self._host is not None
        return next((value for name, value in self._host.cursors.items() if name.startswith("place ")), None)

    def acknowledged(self) -> bool:
        """The place in the mailbox is behind the mail."""
        return self._saved() != self._place

    async def wait_acknowledged(self) -> None:
        """Until it is."""
        while not self.acknowledged():
            await asyncio.sleep(0.01)


class _Watched(EmailBackend):
    """Tells its scenario which host its session has, and finds all servers on loopback."""

    def __init__(self, options: Options, scenario: EmailScenario) -> None:
        super().__init__(options)
        self._scenario = scenario
        self._resolver.users = _Loopback()

    def open(self, account: Account, host: Host) -> Session:
        """See `Backend.open`."""
        self._scenario.opened(host)
        return super().open(account, host)


class _Loopback:
    """A gateway's resolver: all servers are here."""

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """Loopback."""
        return (Endpoint("127.0.0.1", port, name),)


class TestEmail(BackendConformance):
    """The suite."""

    scenario_class = EmailScenario
