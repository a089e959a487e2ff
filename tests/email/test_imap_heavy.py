"""Servers that are killed, thousands of mails, large ones: nothing is lost, and nobody is held up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.email.imap.settings import Settings
from bridge.api import ConnectionLost
from tests.email.watching import PASSWORD, Ledger, fresh_address, make_mail, make_watcher, running
from tests.peers.dovecot import Dovecot, running_dovecot

pytestmark = pytest.mark.heavy

LARGE = make_mail("large", body="\r\n".join(["x" * 76] * (25_000_000 // 78)))


def report(figures: str) -> None:
    """For those who run it with `-s`."""
    sys.stdout.write(f"\n{figures}\n")


@contextlib.asynccontextmanager
async def longest_block() -> AsyncIterator[list[float]]:
    """How long the event loop was busy without a pause at most, in seconds of its own, as the one item of the
    list: what other processes take does not count."""
    longest = [0.0]

    async def look() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            longest[0] = max(longest[0], time.thread_time() - before)

    # What is here of hundreds of other tests is not the loop's business, nor what looking through it takes.
    gc.collect()
    gc.freeze()
    task = asyncio.create_task(look())
    try:
        yield longest
    finally:
        task.cancel()
        gc.unfreeze()


@pytest.fixture
def address(dovecot: Dovecot) -> str:
    address = fresh_address()
    dovecot.add_account(address, PASSWORD)
    return address


async def test_three_thousand_mails_at_once(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        pass
    await asyncio.to_thread(dovecot.drop, address, *(make_mail(f"mail {number}") for number in range(3000)))
    started = time.monotonic()
    watcher = make_watcher(dovecot, address, tmp_path, ledger.place)
    async with longest_block() as longest, running(watcher, ledger):
        await ledger.until(lambda: len(ledger.mails) == 3000, seconds=120)
    assert sorted(ledger.subjects) == sorted(f"mail {number}" for number in range(3000))
    assert [mail.uid for mail in ledger.mails] == sorted(mail.uid for mail in ledger.mails)
    assert longest[0] < 0.05
    report(f"3000 mails in {time.monotonic() - started:.1f} s, longest block {longest[0] * 1000:.0f} ms")
    assert list(tmp_path.iterdir()) == []


async def test_a_large_mail_costs_little_memory(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    async with running(make_watcher(dovecot, address, tmp_path), ledger):
        tracemalloc.start()
        try:
            dovecot.drop(address, LARGE)
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            await ledger.until(lambda: len(ledger.mails) == 1, seconds=60)
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    assert ledger.mails[0].size >= 25_000_000
    assert ledger.mails[0].complete
    report(f"25 MB: {peak / 1e6:.1f} MB at most")
    assert peak < 10_000_000


async def test_a_large_mail_blocks_nobody(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ledger = Ledger()
    copy = tmp_path / "copy"
    copy.write_bytes(LARGE)
    watcher = make_watcher(dovecot, address, tmp_path / "spool")
    async with running(watcher, ledger):
        await asyncio.to_thread(dovecot.drop, address, LARGE)
        started = time.monotonic()
        async with longest_block() as longest:
            await ledger.until(lambda: len(ledger.mails) == 1, seconds=60)
            fetched = time.monotonic()
            await watcher.append_sent(copy, datetime.now(UTC))
    report(
        f"25 MB fetched in {fetched - started:.2f} s, sent in {time.monotonic() - fetched:.2f} s,"
        f" longest block {longest[0] * 1000:.0f} ms"
    )
    assert longest[0] < 0.05
    assert [len(mail) for mail in dovecot.mails(address, "Sent")] == [len(LARGE.replace(b"\r\n", b"\n"))]


@pytest.mark.parametrize("crash", [True, False])
async def test_a_server_that_goes_and_comes_back(tmp_path: Path, crash: bool) -> None:
    with running_dovecot() as server:
        address = fresh_address()
        server.add_account(address, PASSWORD)
        ledger = Ledger()
        async with running(make_watcher(server, address, tmp_path), ledger) as task:
            await asyncio.to_thread(server.deliver, address, make_mail("before"))
            await ledger.until(lambda: ledger.subjects == ["before"])
            await asyncio.to_thread(server.kill if crash else server.stop)
            with pytest.raises(ConnectionLost, match=r"mail\.example\.org closed the connection"):
                async with asyncio.timeout(10):
                    await task
        with pytest.raises(ConnectionLost, match=r"nothing listens there|closed the connection"):
            await make_watcher(server, address, tmp_path, ledger.place).run(ledger)
        server.drop(address, make_mail("meanwhile"))
        await asyncio.to_thread(server.start)
        async with running(make_watcher(server, address, tmp_path, ledger.place), ledger):
            await ledger.until(lambda: ledger.subjects == ["before", "meanwhile"])


async def test_crashes_in_a_backlog_lose_and_double_nothing(tmp_path: Path) -> None:
    with running_dovecot() as server:
        address = fresh_address()
        server.add_account(address, PASSWORD)
        ledger = Ledger()
        async with running(make_watcher(server, address, tmp_path), ledger):
            pass
        server.drop(address, *(make_mail(f"mail {number}") for number in range(100)))
        for stop in range(20, 100, 20):
            ledger.place = await one_crash(server, address, tmp_path, ledger, stop)
        async with running(make_watcher(server, address, tmp_path, ledger.place), ledger):
            await ledger.until(lambda: len(ledger.mails) >= 100)
        assert sorted(ledger.subjects) == sorted(f"mail {number}" for number in range(100))


async def one_crash(server: Dovecot, address: str, spool: Path, ledger: Ledger, stop: int) -> str | None:
    """Kill the server after so many mails, and start it again."""
    task = asyncio.create_task(make_watcher(server, address, spool, ledger.place).run(ledger))
    await ledger.until(lambda: len(ledger.mails) >= stop)
    await asyncio.to_thread(server.kill)
    with pytest.raises(ConnectionLost):
        await task
    await asyncio.to_thread(server.start)
    return ledger.place


async def test_a_full_mailbox_takes_no_copies(tmp_path: Path) -> None:
    from backends.email.imap.trouble import ServerSaidNo

    with running_dovecot(quota="20K") as server:
        address = fresh_address()
        server.add_account(address, PASSWORD)
        copy = tmp_path / "copy"
        copy.write_bytes(make_mail("big", body="x\r\n" * 20_000))
        watcher = make_watcher(server, address, tmp_path / "spool", settings=Settings())
        ledger = Ledger()
        async with running(watcher, ledger):
            with pytest.raises(ServerSaidNo, match=r"mail\.example\.org refused APPEND: .*uota") as refused:
                await watcher.append_sent(copy, datetime.now(UTC))
            assert refused.value.code == "OVERQUOTA"
            server.drop(address, make_mail("still"))
            await ledger.until(lambda: ledger.subjects == ["still"])
