"""A mailbox is watched: what comes is told, once and in order, whatever happens in between."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.email.imap.settings import Settings
from backends.email.values import Security
from bridge.api import AuthFailed, ConnectionLost
from tests.email.watching import PASSWORD, Ledger, fresh_address, make_mail, make_watcher, running
from tests.peers.dovecot import Dovecot, running_dovecot


@pytest.fixture
def address(dovecot: Dovecot) -> str:
    address = fresh_address()
    dovecot.add_account(address, PASSWORD)
    return address


@pytest.mark.parametrize("security", list(Security))
async def test_mail_comes_within_seconds(
    dovecot: Dovecot, address: str, tmp_path: Path, security: Security
) -> None:
    dovecot.drop(address, make_mail("old"))
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path, security=security), ledger):
        started = time.monotonic()
        await asyncio.to_thread(dovecot.deliver, address, make_mail("new"))
        await ledger.until(lambda: len(ledger.mails) == 1)
        assert time.monotonic() - started < 5
    mail = ledger.mails[0]
    assert ledger.subjects == ["new"]
    assert ledger.contents[0].endswith(b"\r\n\r\nhello\r\n")
    assert (mail.message_id, mail.own, mail.seen, mail.complete) == ("new@example.net", False, False, True)
    assert dovecot.flags(address) == ["", ""]
    assert list(tmp_path.iterdir()) == []


async def test_without_idle_the_mailbox_is_polled(tmp_path: Path) -> None:
    with running_dovecot(idle=False) as server:
        address = fresh_address()
        server.add_account(address, PASSWORD)
        ledger = Ledger()
        async with running(make_watcher(server, address, tmp_path, settings=Settings(poll=0.2)), ledger):
            for subject in ("one", "two"):
                await asyncio.to_thread(server.deliver, address, make_mail(subject))
                await ledger.until(lambda subject=subject: subject in ledger.subjects)  # type: ignore[misc]


async def test_idle_is_begun_anew_in_time(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    watcher = make_watcher(dovecot, address, tmp_path, settings=Settings(idle=0.05))
    async with running(watcher, ledger):
        for number in range(5):
            dovecot.drop(address, make_mail(f"mail {number}"))
            await ledger.until(lambda number=number: len(ledger.mails) == number + 1)  # type: ignore[misc]


async def test_it_goes_on_where_it_was(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    dovecot.drop(address, make_mail("old"))
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        dovecot.drop(address, make_mail("one"))
        await ledger.until(lambda: len(ledger.mails) == 1)
    dovecot.drop(address, make_mail("two"), make_mail("three"))
    async with running(make_watcher(dovecot, address, tmp_path, ledger.place), ledger):
        await ledger.until(lambda: len(ledger.mails) == 3)
        dovecot.drop(address, make_mail("four"))
        await ledger.until(lambda: len(ledger.mails) == 4)
    assert ledger.subjects == ["one", "two", "three", "four"]


async def test_a_place_is_stored_before_any_mail_came(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        pass
    assert ledger.place is not None
    dovecot.drop(address, make_mail("while away"))
    async with running(make_watcher(dovecot, address, tmp_path, ledger.place), ledger):
        await ledger.until(lambda: ledger.subjects == ["while away"])


@pytest.mark.parametrize(("count", "taken"), [(0, []), (2, ["b", "c"]), (9, ["a", "b", "c"])])
async def test_backfill_takes_the_newest_oldest_first(
    dovecot: Dovecot, address: str, tmp_path: Path, count: int, taken: list[str]
) -> None:
    dovecot.drop(address, make_mail("a"), make_mail("b"), make_mail("c"))
    ledger = Ledger()
    settings = Settings(backfill=count)
    async with running(make_watcher(dovecot, address, tmp_path, settings=settings), ledger):
        dovecot.drop(address, make_mail("new"))
        await ledger.until(lambda: "new" in ledger.subjects)
    assert ledger.subjects == [*taken, "new"]


async def test_what_was_not_stored_comes_again(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger) as task:
        ledger.broken = RuntimeError("the store is down")
        dovecot.drop(address, make_mail("one"))
        with pytest.raises(RuntimeError):
            await task
    ledger.broken = None
    async with running(make_watcher(dovecot, address, tmp_path, ledger.place), ledger):
        await ledger.until(lambda: ledger.subjects == ["one"])


async def test_numbers_that_changed_make_no_doubles_and_lose_nothing(
    dovecot: Dovecot, address: str, tmp_path: Path
) -> None:
    dovecot.drop(address, make_mail("old"))
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        dovecot.drop(address, make_mail("one"), make_mail("two"))
        await ledger.until(lambda: len(ledger.mails) == 2)
    dovecot.drop(address, make_mail("three"))
    dovecot.forget_indexes(address)
    async with running(make_watcher(dovecot, address, tmp_path, ledger.place), ledger):
        await ledger.until(lambda: len(ledger.mails) == 3)
        dovecot.drop(address, make_mail("four"))
        await ledger.until(lambda: len(ledger.mails) == 4)
    assert sorted(ledger.subjects) == ["four", "one", "three", "two"]
    assert len({mail.validity for mail in ledger.mails}) == 2


@pytest.mark.parametrize("name", ["Büro & Söhne", 'say "hi"', "with space", "back\\slash", "日本語 [1]"])
async def test_any_mailbox_name(dovecot: Dovecot, address: str, tmp_path: Path, name: str) -> None:
    ledger = Ledger()
    dovecot.doveadm("mailbox", "create", "-u", address, name)
    async with running(make_watcher(dovecot, address, tmp_path, name=name), ledger):
        await asyncio.to_thread(save, dovecot, address, name, make_mail("there"))
        await ledger.until(lambda: ledger.subjects == ["there"])


def save(server: Dovecot, address: str, mailbox: str, mail: bytes) -> None:
    import subprocess

    command = ["doveadm", "-c", str(server.config_file), "save", "-u", address, "-m", mailbox]
    subprocess.run(command, input=mail, check=True, capture_output=True)


async def test_a_deleted_and_recreated_mailbox(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    dovecot.doveadm("mailbox", "create", "-u", address, "Box")
    watcher = make_watcher(dovecot, address, tmp_path, name="Box")
    async with running(watcher, ledger):
        await asyncio.to_thread(save, dovecot, address, "Box", make_mail("one"))
        await ledger.until(lambda: ledger.subjects == ["one"])
    dovecot.doveadm("mailbox", "delete", "-u", address, "Box")
    dovecot.doveadm("mailbox", "create", "-u", address, "Box")
    await asyncio.to_thread(save, dovecot, address, "Box", make_mail("two"))
    async with running(make_watcher(dovecot, address, tmp_path, ledger.place, name="Box"), ledger):
        await ledger.until(lambda: ledger.subjects == ["one", "two"])


async def test_a_mail_that_is_gone_before_it_is_fetched(
    dovecot: Dovecot, address: str, tmp_path: Path
) -> None:
    ledger, gate = Ledger(), asyncio.Event()
    ledger.gate = lambda mail: gate if mail.message_id.startswith("one@") else None
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        dovecot.drop(address, make_mail("one"), make_mail("two"), make_mail("three"))
        async with asyncio.timeout(10):
            while not list(tmp_path.iterdir()):
                await asyncio.sleep(0.01)
        words = ("expunge", "-u", address, "mailbox", "INBOX", "subject", "two")
        await asyncio.to_thread(dovecot.doveadm, *words)
        gate.set()
        await ledger.until(lambda: "three" in ledger.subjects)
        assert ledger.subjects == ["one", "three"]


async def test_flags_and_expunges_in_between(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        dovecot.drop(address, make_mail("one"), make_mail("two"))
        await ledger.until(lambda: len(ledger.mails) == 2)
        await asyncio.to_thread(dovecot.doveadm, "flags", "add", "-u", address, "\\Flagged", "ALL")
        await asyncio.to_thread(dovecot.doveadm, "expunge", "-u", address, "mailbox", "INBOX", "ALL")
        dovecot.drop(address, make_mail("three"))
        await ledger.until(lambda: len(ledger.mails) == 3)
    assert ledger.subjects == ["one", "two", "three"]


async def test_own_mail_and_read_mail_are_told(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    dovecot.drop(address, make_mail("mine", sender=f"Me <{address.upper()}>"), make_mail("read"))
    dovecot.doveadm("flags", "add", "-u", address, "\\Seen", "mailbox", "INBOX", "subject", "read")
    settings = Settings(backfill=5)
    async with running(make_watcher(dovecot, address, tmp_path, settings=settings), ledger):
        await ledger.until(lambda: len(ledger.mails) == 2)
    assert [(mail.own, mail.seen) for mail in ledger.mails] == [(True, False), (False, True)]


async def test_of_a_mail_that_is_too_large_only_the_header_comes(
    dovecot: Dovecot, address: str, tmp_path: Path
) -> None:
    ledger = Ledger()
    settings = Settings(largest=20_000, piece=4096)
    async with running(make_watcher(dovecot, address, tmp_path, settings=settings), ledger):
        dovecot.drop(address, make_mail("big", body="x" * 70 + "\r\n" + "y\r\n" * 8000), make_mail("small"))
        await ledger.until(lambda: len(ledger.mails) == 2)
    big, small = ledger.mails
    assert not big.complete
    assert "too large" in big.note
    assert ledger.contents[0].endswith(b"\r\n\r\n")
    assert ledger.subjects == ["big", "small"]
    assert small.complete


async def test_read_marks_and_copies_while_mail_comes(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    copy = tmp_path / "copy"
    copy.write_bytes(make_mail("sent one", sender=address))
    watcher = make_watcher(dovecot, address, tmp_path / "spool")
    async with running(watcher, ledger):
        dovecot.drop(address, make_mail("one"), make_mail("two"))
        await ledger.until(lambda: len(ledger.mails) == 2)
        assert await watcher.mark_seen(["one@example.net", "nobody@example.net"]) == 1
        assert not await watcher.find_sent("sent.one@example.net")
        assert await watcher.append_sent(copy, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
        assert await watcher.find_sent("sent.one@example.net")
        dovecot.drop(address, make_mail("three"))
        await ledger.until(lambda: len(ledger.mails) == 3)
    assert dovecot.flags(address).count("S") == 1
    assert dovecot.mails(address, "Sent") == [copy.read_bytes().replace(b"\r\n", b"\n")]
    assert dovecot.flags(address, "Sent") == ["S"]
    # A mail that came over an earlier connection is found by its header.
    watcher = make_watcher(dovecot, address, tmp_path / "spool", ledger.place)
    async with running(watcher, ledger):
        assert await watcher.mark_seen(["two@example.net"], uids=[ledger.mails[2].uid]) == 2
    assert dovecot.flags(address) == ["S", "S", "S"]
    with pytest.raises(ConnectionLost):
        await watcher.mark_seen(["two@example.net"])


@pytest.mark.parametrize("there", ["Gesendete Objekte", "Éléments envoyés", ""])
async def test_where_no_mailbox_is_marked_for_sent_mail(tmp_path: Path, there: str) -> None:
    with running_dovecot(sent="") as server:
        address = fresh_address()
        server.add_account(address, PASSWORD)
        if there:
            server.doveadm("mailbox", "create", "-u", address, there, "Trash")
        copy = tmp_path / "copy"
        copy.write_bytes(make_mail("sent"))
        watcher = make_watcher(server, address, tmp_path / "spool")
        async with running(watcher, Ledger()):
            await watcher.append_sent(copy, datetime.now(UTC))
        assert "1" in server.doveadm("search", "-u", address, "mailbox", there or "Sent", "ALL")


async def test_a_wrong_password(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    watcher = make_watcher(dovecot, address, tmp_path, password="wrong")
    with pytest.raises(AuthFailed, match=r"mail\.example\.org said: .*failed"):
        async with running(watcher, Ledger()):
            pass


async def test_closing_is_quick(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    watcher = make_watcher(dovecot, address, tmp_path)
    async with running(watcher, Ledger()) as task:
        watcher.close()
        async with asyncio.timeout(2):
            await task
