"""Servers that hang, lie, refuse, or send nonsense: all of it ends in words, in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.email.imap.dial import connect, dial, hang_up
from backends.email.imap.link import Link
from backends.email.imap.login import Credentials, log_in
from backends.email.imap.mailbox import overviews, piece, search, select
from backends.email.imap.sent import find_sent
from backends.email.imap.settings import Settings
from backends.email.imap.wire import Wire
from backends.email.values import Security, Server
from bridge.api import AuthFailed, ConnectionLost, Endpoint, ProtocolError
from bridge.testing.fake_host import FakeHost
from tests.email.scripted_imap import HANG, QUICK, ScriptedImap, overview, scripted_imap, watcher_of
from tests.email.watching import PASSWORD, Ledger, fresh_address, running
from tests.peers.dovecot import Dovecot, running_dovecot
from tests.peers.tls import make_certificates

PLACE = '{"validity":7,"uid":0}'


async def test_the_script_itself_works(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        ledger = Ledger()
        async with running(watcher_of(script, tmp_path, PLACE), ledger):
            await ledger.until(lambda: ledger.subjects == ["one"])


HANGS = {
    "greeting": HANG,
    "CAPABILITY": b"* CAPABILITY IMAP4rev1" + HANG,
    "AUTHENTICATE": HANG,
    "SELECT": b"* 1 EXISTS\r\n" + HANG,
    "UID SEARCH": HANG,
    "UID FETCH": b"* 1 FETCH (UID 1 BODY[]<0> {5000}\r\nhalf of it" + HANG,
    "IDLE": HANG,
}


@pytest.mark.parametrize("step", HANGS)
async def test_a_server_that_hangs(tmp_path: Path, step: str) -> None:
    async with scripted_imap() as script:
        script.replies[step] = HANGS[step]
        with pytest.raises(ConnectionLost, match=r"did not answer|does not answer"):
            async with asyncio.timeout(5):
                await watcher_of(script, tmp_path, PLACE).run(Ledger())


async def test_a_server_that_does_not_end_idle(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        script.replies["IDLE"] = b"+ idling\r\n" + HANG
        settings = Settings(connect=1, answer=0.3, idle=0.1)
        with pytest.raises(ConnectionLost, match="did not answer IDLE"):
            async with asyncio.timeout(5):
                await watcher_of(script, tmp_path, PLACE, settings).run(Ledger())


async def test_a_server_that_hangs_at_the_end(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        script.replies["LOGOUT"] = HANG
        async with running(watcher_of(script, tmp_path, PLACE), Ledger()):
            pass


SAID = {
    "full": ("greeting", b"* BYE too many connections\r\n", ConnectionLost, "too many connections"),
    "not imap": ("greeting", b"220 smtp.example.org ESMTP\r\n", ProtocolError, "does not speak IMAP"),
    "not now": ("end", b"TAG NO [UNAVAILABLE] come back\r\n", ConnectionLost, "come back"),
    "too often": ("end", b"TAG NO Too many login attempts\r\n", ConnectionLost, "Too many"),
    "wrong": ("end", b"TAG NO [AUTHENTICATIONFAILED] no such luck\r\n", AuthFailed, "no such luck"),
    "expired": ("end", b"TAG NO [EXPIRED] your password\r\n", AuthFailed, "your password"),
    "no inbox": ("SELECT", b"TAG NO there is none\r\n", ConnectionLost, "there is none"),
    "no search": ("UID SEARCH", b"TAG BAD what\r\n", ConnectionLost, "what"),
    "strange tag": ("SELECT", b"XX1 OK fine\r\n", ProtocolError, "nobody had asked"),
    "huge literal": ("UID SEARCH", b"* 1 FETCH {9999999999}\r\n", ProtocolError, "more at once"),
    "unbalanced": ("UID FETCH", b"* 1 FETCH (UID 1))\r\n", ProtocolError, "had not begun"),
    "bye": ("SELECT", b"* BYE out of memory\r\n" + HANG, ConnectionLost, "did not answer"),
}


@pytest.mark.parametrize("case", SAID)
async def test_what_a_server_says_is_told(tmp_path: Path, case: str) -> None:
    step, reply, kind, words = SAID[case]
    async with scripted_imap() as script:
        script.replies[step] = reply
        with pytest.raises(kind, match=words) as failed:
            async with asyncio.timeout(5):
                await watcher_of(script, tmp_path, PLACE).run(Ledger())
        assert case == "unbalanced" or "127.0.0.1" in str(failed.value)
        assert "secret" not in str(failed.value)


async def test_without_plain_login_is_used_and_secrets_are_apart(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        script.replies["CAPABILITY"] = b"* CAPABILITY IMAP4rev1\r\n"
        async with running(watcher_of(script, tmp_path, PLACE), Ledger()):
            pass
        start = next(index for index, line in enumerate(script.lines) if "LOGIN" in line)
        assert script.lines[start].endswith(" LOGIN {5}")
        assert script.lines[start + 1 : start + 3] == ["alice {6}", "secret"]


async def test_a_connection_that_takes_no_passwords(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        script.replies["CAPABILITY"] = b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n"
        with pytest.raises(AuthFailed, match="does not take passwords"):
            await watcher_of(script, tmp_path).run(Ledger())
        assert not any("LOGIN" in line for line in script.lines)


async def test_idle_that_is_refused_after_all(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        script.replies["IDLE"] = b"TAG NO not today\r\n"
        ledger = Ledger()
        async with running(watcher_of(script, tmp_path, PLACE), ledger):
            await ledger.until(lambda: ledger.subjects == ["one"])
            async with asyncio.timeout(5):
                while sum("NOOP" in line for line in script.lines) < 3:
                    await asyncio.sleep(0.01)
        assert sum("IDLE" in line for line in script.lines) == 1


async def test_a_mail_that_the_server_will_not_give(tmp_path: Path) -> None:
    def fetch(line: str) -> bytes:
        return overview(1) if "INTERNALDATE" in line else b"TAG NO [SERVERBUG] it is damaged\r\n"

    async with scripted_imap() as script:
        script.replies["UID FETCH"] = fetch
        ledger = Ledger()
        async with running(watcher_of(script, tmp_path, PLACE), ledger):
            await ledger.until(lambda: len(ledger.mails) == 1)
        assert not ledger.mails[0].complete
        assert "it is damaged" in ledger.mails[0].note
        assert ledger.place == ledger.mails[0].place


async def test_gmail_makes_its_own_copies(tmp_path: Path) -> None:
    async with scripted_imap() as script:
        script.replies["CAPABILITY"] = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE X-GM-EXT-1\r\n"
        watcher = watcher_of(script, tmp_path, PLACE)
        async with running(watcher, Ledger()):
            assert not await watcher.append_sent(Path(__file__), datetime.now(UTC))
        assert not any("APPEND" in line for line in script.lines)


async def test_a_command_that_is_cancelled_ends_the_connection() -> None:
    async with scripted_imap() as script:
        script.replies["NOOP"] = HANG
        link = await opened(script)
        task = asyncio.create_task(link.ask("NOOP"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ConnectionLost, match="given up"):
            await link.ask("NOOP")


async def opened(script: ScriptedImap) -> Link:
    return await dial(script.server, FakeHost(), None, QUICK)  # type: ignore[arg-type] (not used)


STRIPPED = {
    "refused": ({"STARTTLS": b"TAG NO never\r\n"}, ConnectionLost, "cannot encrypt"),
    "injected": ({"STARTTLS": b"TAG OK go\r\n* CAPABILITY IMAP4rev1"}, ProtocolError, "without encryption"),
    "logged in": ({"greeting": b"* PREAUTH hello\r\n"}, ProtocolError, "logged in before"),
}


@pytest.mark.parametrize("case", STRIPPED)
async def test_nothing_goes_on_without_the_encryption_that_was_wanted(dovecot: Dovecot, case: str) -> None:
    replies, kind, words = STRIPPED[case]
    async with scripted_imap() as script:
        script.replies.update(replies)
        server = Server("127.0.0.1", script.port, Security.STARTTLS)
        with pytest.raises(kind, match=words):
            await dial(server, FakeHost(), dovecot.trusting(), QUICK)


async def test_what_is_wrong_with_a_certificate(tmp_path: Path) -> None:
    expired = make_certificates(tmp_path, "mail.example.org", expired=True)
    with running_dovecot(certificates=expired) as server:
        for security, port in ((Security.TLS, server.tls_port), (Security.STARTTLS, server.port)):
            with pytest.raises(ConnectionLost, match=r"mail\.example\.org, port .* has expired"):
                await connect(
                    Server("mail.example.org", port, security),
                    Endpoint("127.0.0.1", port, "mail.example.org"),
                    server.trusting(),
                    Settings(),
                )


async def test_a_certificate_for_another_name(dovecot: Dovecot) -> None:
    server = Server("other.example.org", dovecot.tls_port)
    endpoint = Endpoint("127.0.0.1", dovecot.tls_port, "other.example.org")
    with pytest.raises(ConnectionLost, match=r"not for other\.example\.org"):
        await connect(server, endpoint, dovecot.trusting(), Settings())


async def test_the_login_command_takes_any_password(dovecot: Dovecot) -> None:
    address = fresh_address()
    dovecot.add_account(address, PASSWORD)
    host = FakeHost(endpoints={dovecot.server: "127.0.0.1"})
    link = await dial(Server(dovecot.server, dovecot.tls_port), host, dovecot.trusting(), Settings())
    link.capabilities = frozenset()
    await log_in(link, Credentials(address, PASSWORD))
    assert "SPECIAL-USE" in link.capabilities
    await hang_up(link)


async def test_nothing_secret_and_no_mail_is_logged(
    dovecot: Dovecot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted_imap() as script:
        ledger = Ledger()
        async with running(watcher_of(script, tmp_path, PLACE), ledger):
            await ledger.until(lambda: ledger.subjects == ["one"])
    assert not any("aioimaplib" in record.name for record in caplog.records)
    assert "secret" not in caplog.text
    assert "Subject" not in caplog.text
    assert "secret" not in repr(Credentials("alice", "secret"))


# Bytes.


class Deaf(asyncio.Transport):
    """A transport that swallows all."""

    def write(self, data: object) -> None:
        pass

    def abort(self) -> None:
        pass


def fresh_link() -> Link:
    wire = Wire("The server", 10_000)
    wire.connection_made(Deaf())
    wire.data_received(b"* OK hello\r\n")
    wire.state = "SELECTED"
    link = Link(wire, 0.05)
    link.capabilities = frozenset({"SPECIAL-USE"})
    return link


ACTIONS = {
    "select": lambda link: select(link, "INBOX"),
    "search": lambda link: search(link, "ALL"),
    "overviews": lambda link: overviews(link, "1:5"),
    "piece": lambda link: piece(link, 1, "", 0, 1000),
    "find_sent": find_sent,
    "idle": lambda link: link.idle(0.02, lambda: False),
    "log_in": lambda link: log_in(link, Credentials("a", "b")),
}

SCRAPS = [
    b"* ", b"1 FETCH (", b"UID 1 ", b"BODY[] ", b"{5}\r\n", b"hello", b")", b"(", b'"', b"\r\n", b"\n",
    b"FLAGS (\\Seen) ", b"INTERNALDATE ", b'"26-Nov-2026 08:00:00 +0000"', b'"99-Foo-0000 99:99:99 +9999"',
    b"* SEARCH 1 2 x 99999999999999999999\r\n", b'* LIST (\\Sent) "/" Sent\r\n', b"NIL", b"+\r\n",
    b"* LIST (\\Sent) NIL {3}\r\n", b"* 99999999999 EXISTS\r\n", b"* BYE\r\n", b"+ \r\n", b"\xff\x00",
    b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", b"TAG OK [UIDVALIDITY x] done\r\n", b"TAG NO\r\n", b"\\",
    b"TAG BAD [\r\n", b"* OK [UIDNEXT -1]\r\n", b"BODY[HEADER.FIELDS (A)] ", b"{99999999}\r\n",
    b"RFC822.SIZE 1 ", b"Date: x\r\nFrom: <\r\nMessage-ID: <",
]  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
@given(
    st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=20), max_size=12),
    st.sampled_from([1, 7, 10_000]),
)
def test_no_bytes_whatsoever_break_the_wrapper(action: str, scraps: list[bytes], size: int) -> None:
    async def run() -> None:
        link = fresh_link()
        link.wire.state = "NONAUTH" if action == "log_in" else "SELECTED"
        task = asyncio.ensure_future(ACTIONS[action](link))  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tag = (link.wire.tagpre + str(link.wire.tagnum - 1)).encode()
        data = b"".join(scraps).replace(b"TAG", tag)
        for start in range(0, len(data), size):
            link.wire.data_received(data[start : start + size])
        link.wire.data_received(b"\r\n" + tag + b" OK done\r\n")
        link.wire.connection_lost(None)
        async with asyncio.timeout(2):
            with contextlib.suppress(ProtocolError, ConnectionLost, AuthFailed):
                await said_no_is_fine(task)

    asyncio.run(run())


async def said_no_is_fine(task: asyncio.Future[object]) -> None:
    from backends.email.imap.trouble import ServerSaidNo

    with contextlib.suppress(ServerSaidNo):
        await task


async def test_thousands_of_lines_in_one_read() -> None:
    link = fresh_link()
    task = asyncio.ensure_future(search(link, "ALL"))
    await asyncio.sleep(0)
    tag = (link.wire.tagpre + str(link.wire.tagnum - 1)).encode()
    lines = [b"* %d FETCH (FLAGS (\\Seen))\r\n" % number for number in range(1, 5000)]
    link.wire.data_received(b"".join(lines) + b"* SEARCH 5 3\r\n" + tag + b" OK done\r\n")
    assert await task == [3, 5]


async def test_a_mailbox_name_with_a_star_stays_whole() -> None:
    link = fresh_link()
    task = asyncio.ensure_future(find_sent(link))
    await asyncio.sleep(0)
    tag = (link.wire.tagpre + str(link.wire.tagnum - 1)).encode()
    link.wire.data_received(b'* LIST (\\Sent) "/" "Foo* Bar"\r\n' + tag + b" OK done\r\n")
    assert await task == "Foo* Bar"
