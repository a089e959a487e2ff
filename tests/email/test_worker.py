"""Mails are read and written beside the event loop; nothing in them can stop it, or be lost by it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.email.values import Draft, Limits, Person, SavedFile
from backends.email.worker import process
from backends.email.worker.mail_worker import CannotWrite, MailWorker
from backends.email.worker.pool import Busy, Pool
from tests.email import memory

MAIL = b"From: Ann <ann@example.org>\r\nSubject: Lunch\r\nMessage-ID: <1@example.org>\r\n\r\nAt one?\r\n"
DRAFT = Draft(
    "1@example.net", datetime.now(UTC), Person("bob@example.net"), (Person("ann@example.org"),), "Re", "Yes"
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mail.eml"
    path.write_bytes(MAIL)
    return path


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close()


@pytest.fixture
def worker(pool: Pool) -> MailWorker:
    return MailWorker(pool)


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_mails_are_read_and_written(worker: MailWorker, path: Path, spool: Path) -> None:
    async with worker.read(path, spool) as mail:
        assert (mail.text, mail.subject, mail.problem) == ("At one?", "Lunch", "")
    async with worker.write(DRAFT, spool) as written:
        assert Path(written.path).stat().st_size == written.size
    async with worker.read(path, spool) as mail:
        assert mail.text == "At one?"

    assert list(spool.iterdir()) == []


async def test_files_are_there_until_the_block_ends(worker: MailWorker, path: Path, spool: Path) -> None:
    path.write_bytes(b"From: a@b.c\r\nContent-Type: image/png; name=x.png\r\n\r\nnot really")

    async with worker.read(path, spool) as mail:
        (file,) = mail.attachments
        assert Path(file.path).read_bytes() == b"not really"

    assert not Path(file.path).exists()


async def test_no_process_before_work_and_one_for_all(
    worker: MailWorker, pool: Pool, path: Path, spool: Path
) -> None:
    assert pool.pids == []
    async with AsyncExitStack() as stack:
        mails = await asyncio.gather(
            *(stack.enter_async_context(worker.read(path, spool)) for _ in range(20))
        )
    assert {mail.text for mail in mails} == {"At one?"}
    assert len(pool.pids) == 1


async def test_the_process_knows_nothing_of_us(
    worker: MailWorker, pool: Pool, path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_PASSWORD", "xyzzy")
    async with worker.read(path, spool):
        environment = Path(f"/proc/{pool.pids[0]}/environ").read_bytes()
        assert b"xyzzy" not in environment
        assert len(list(Path(f"/proc/{pool.pids[0]}/fd").iterdir())) <= 5


async def test_idle_process_is_ended_and_another_started(path: Path, spool: Path) -> None:
    pool = Pool(idle=0.05)
    worker = MailWorker(pool)
    async with worker.read(path, spool):
        (first,) = pool.pids
    await until(lambda: not alive(first))
    assert pool.pids == []
    async with worker.read(path, spool) as mail:
        assert mail.text == "At one?"
    await worker.close()


async def test_mail_that_takes_too_long_is_a_tombstone(path: Path, spool: Path) -> None:
    pool = Pool(deadline=0.0)
    worker = MailWorker(pool)

    async with worker.read(path, spool) as mail:
        assert mail.problem == "it takes too long"
        assert (mail.id, mail.subject, mail.text) == ("1@example.org", "Lunch", "")
        assert mail.sender == Person("ann@example.org", "Ann")
        assert mail.original is not None
        assert Path(mail.original.path).read_bytes() == MAIL

    assert path.read_bytes() == MAIL
    assert pool.pids == []
    await worker.close()


async def test_a_process_that_was_killed_is_replaced(
    worker: MailWorker, pool: Pool, path: Path, spool: Path
) -> None:
    async with worker.read(path, spool):
        (first,) = pool.pids
    os.kill(first, signal.SIGKILL)
    async with worker.read(path, spool) as mail:
        assert mail.text == "At one?"
    assert pool.pids != [first]


async def test_mail_that_processes_die_of_is_a_tombstone(
    worker: MailWorker, path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_MODULE", "tests.email.dying_child")

    async with worker.read(path, spool) as mail:
        assert mail.problem == "reading it failed twice"
        assert mail.subject == "Lunch"
    with pytest.raises(CannotWrite):
        async with worker.write(DRAFT, spool):
            pass


async def test_endless_work_is_ended_by_the_processor_limit(
    path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_MODULE", "tests.email.endless_child")
    pool = Pool(deadline=1.4)  # a second of processor time

    async with MailWorker(pool).read(path, spool) as mail:
        assert mail.problem in ("it takes too long", "reading it failed twice")
    await pool.close()


async def test_too_much_memory_is_a_tombstone(
    worker: MailWorker, path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_MODULE", "tests.email.greedy_child")

    async with worker.read(path, spool) as mail:
        assert mail.problem == "it takes too much memory"


async def test_what_is_wrong_with_a_draft_is_said(worker: MailWorker, spool: Path) -> None:
    with pytest.raises(ValueError, match="nobody to write to"):
        async with worker.write(Draft("1@x", datetime.now(UTC), DRAFT.sender, (), "x", "y"), spool):
            pass
    with pytest.raises(FileNotFoundError):
        async with worker.write(
            Draft("1@x", datetime.now(UTC), DRAFT.sender, DRAFT.to, "x", "y",
                  attachments=(SavedFile("/nowhere", "x", "a/b", 1),)),
            spool,
        ):  # fmt: skip
            pass
    assert list(spool.iterdir()) == []


async def test_missing_mail_is_an_error_of_files(worker: MailWorker, tmp_path: Path, spool: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with worker.read(tmp_path / "nowhere", spool):
            pass


async def test_cancelled_readers_leave_nothing(
    worker: MailWorker, pool: Pool, path: Path, spool: Path
) -> None:
    async def read() -> None:
        async with worker.read(path, spool):
            pass

    for _ in range(10):
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await read()
    await until(lambda: not list(spool.iterdir()))
    assert len(pool.pids) == 1


async def test_far_too_much_at_once_is_refused(path: Path, spool: Path) -> None:
    worker = MailWorker(Pool(waiting=3))

    async def read() -> str:
        async with worker.read(path, spool) as mail:
            return mail.text

    results = await asyncio.gather(*(read() for _ in range(10)), return_exceptions=True)

    assert results.count("At one?") >= 3
    assert any(isinstance(each, Busy) for each in results)
    await worker.close()


def big_mail(path: Path, octets: int) -> None:
    """A mail with an attachment, so big on the wire."""
    line = b"QUJD" * 19 + b"\r\n"
    with path.open("wb") as file:
        file.write(
            b"From: a@b.c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nA film.\r\n--b\r\n"
            b"Content-Type: video/mp4; name=film.mp4\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        )
        for _ in range(octets // len(line)):
            file.write(line)
        file.write(b"\r\n--b--\r\n")


BIG = 25 * 1024 * 1024
SHAPES: dict[str, Callable[[Path], object]] = {
    "attachment": lambda path: big_mail(path, BIG),
    "text": lambda path: path.write_bytes(MAIL + b"A line of a text that goes on.\r\n" * (BIG // 32)),
    "one line": lambda path: path.write_bytes(MAIL + b"x" * BIG),
    "html": lambda path: path.write_bytes(
        MAIL.replace(b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n")
        + b"<p>A <b>text</b></p>\r\n" * (BIG // 24)
    ),
    "header": lambda path: path.write_bytes(b"X-Header: value\r\n" * (BIG // 17) + MAIL),
    "winmail": lambda path: path.write_bytes(
        b"Content-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\x00\x01" + b"\x02" * (7 * 1024 * 1024)
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_big_mails_take_little_memory_and_never_hold_up_the_loop(
    shape: str, tmp_path: Path, spool: Path, record_property: Callable[[str, object], None]
) -> None:
    """Under 150 MB over idle, processes together; between two turns of the loop its thread computes for less
    than 50 ms (how long others keep the processor is not ours)."""
    path = tmp_path / "big.eml"
    SHAPES[shape](path)
    pool = Pool()
    worker = MailWorker(pool, Limits(attachment=30 * 1024 * 1024))
    idle = memory.together(os.getpid())
    gaps: list[float] = []

    async def turn() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            gaps.append(time.thread_time() - last)
            last = time.thread_time()

    turning = asyncio.create_task(turn())
    with memory.watched(os.getpid()) as peak:
        async with worker.read(path, spool) as mail:
            assert not mail.problem
    turning.cancel()
    await worker.close()

    record_property("MB over idle", (peak.octets - idle) / 1e6)
    record_property("longest turn, ms", max(gaps) * 1000)
    assert peak.octets - idle < 150e6
    assert max(gaps) < 0.05


async def test_big_attachments_are_written_in_little_memory(
    tmp_path: Path, spool: Path, record_property: Callable[[str, object], None]
) -> None:
    file = tmp_path / "film"
    file.write_bytes(os.urandom(1024) * (18 * 1024))
    draft = Draft("1@x.y", datetime.now(UTC), DRAFT.sender, DRAFT.to, "x", "y",
                  attachments=(SavedFile(str(file), "film.mp4", "video/mp4", 1),))  # fmt: skip
    worker = MailWorker()
    idle = memory.together(os.getpid())

    with memory.watched(os.getpid()) as peak:
        async with worker.write(draft, spool) as written:
            assert written.size > 24 * 1024 * 1024
    await worker.close()

    record_property("MB over idle", (peak.octets - idle) / 1e6)
    assert peak.octets - idle < 150e6


def test_the_process_loads_nothing_of_the_bridge_or_the_network() -> None:
    """It starts fast and stays small, and what it does not have a mail can't use."""
    code = "import sys, backends.email.worker.child; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    unwanted = "bridge asyncio aiohttp aioimaplib aiosmtplib aiosmtpd dns slixmpp sqlalchemy"
    assert set(found.split()).isdisjoint(unwanted.split())
