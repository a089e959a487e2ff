"""A text that an SMSC sends again is shown once; texts that are just alike are all shown."""

from __future__ import annotations

import asyncio
import json
import random
import time
from functools import partial
from pathlib import Path

import pytest

from backends.sms.smpp.doubles import KEPT_SECONDS, MOST, Doubles, Stored, digest_of
from backends.sms.smpp.ledger import Ledger, read_ledger
from bridge.api import Host
from bridge.testing.fake_host import FakeHost
from tests.peers.smsc import PhoneNetwork, Smsc, address
from tests.sms.smpp.stage import OURS, PHONE, Stage, StoringHost, TestDesk, on_stage, until

CURSOR = "smpp main"
UNREAD = ["deliver_sm_resp", "enquire_link"]
"""What an SMSC has not read when its link breaks."""


def open_in(host: FakeHost) -> int:
    """How many texts may come again, by what is stored."""
    value = json.loads(host.cursors[CURSOR])
    return len(value["open"]) + len(value["suspects"])


async def taken_unread(stage: Stage, text: str) -> StoringHost:
    """A text is stored and answered, and the SMSC does not read that."""
    await stage.phones.set(mute=UNREAD)
    await stage.phones.text(PHONE, OURS, text)
    await stage.phones.wait("muted", lambda each: each["command"] == "deliver_sm_resp")
    await stage.phones.set(mute=[])
    return stage.desk.hosts[OURS]


async def test_what_is_repeated_after_a_broken_link_is_shown_once(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = await taken_unread(stage, "ok")
        assert open_in(host) == 1
        await phones.do("drop")
        await phones.wait("answer", lambda each: each["status"] == 0 and each["tries"] == 2)
        assert stage.desk.texts == ["ok"]
        # Now that its answer is read, the next one like it is another.
        await until(lambda: open_in(host) == 0)
        await phones.answer(await phones.text(PHONE, OURS, "ok"))
        assert stage.desk.texts == ["ok", "ok"]


async def test_two_alike_that_are_both_repeated_stay_two(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.set(mute=UNREAD)
        for _ in range(2):
            await phones.text(PHONE, OURS, "ok")
        await phones.wait("muted", lambda each: each["command"] == "deliver_sm_resp", count=2)
        await phones.set(mute=[])
        await phones.do("drop")
        await phones.wait("answer", lambda each: each["status"] == 0 and each["tries"] == 2, count=2)
        assert stage.desk.texts == ["ok", "ok"]


async def test_what_was_read_is_not_taken_for_a_repetition(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        await phones.answer(await phones.text(PHONE, OURS, "ok"))
        await until(lambda: open_in(host) == 0)
        await phones.do("drop")
        await stage.bound(2)
        await phones.answer(await phones.text(PHONE, OURS, "ok"))
        assert stage.desk.texts == ["ok", "ok"]


async def test_a_link_that_breaks_before_the_text_is_stored(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        await phones.text(PHONE, OURS, "hello")
        await stage.desk.wait(lambda: stage.desk.arrived)
        await phones.do("drop")
        await stage.bound(2)
        host.store()
        host.hold_storing = False
        await phones.wait("answer", lambda each: each["status"] == 0)
        assert stage.desk.texts == ["hello"]


async def test_a_link_that_breaks_before_the_text_could_not_be_stored(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        await phones.text(PHONE, OURS, "hello")
        await stage.desk.wait(lambda: stage.desk.arrived)
        await phones.do("drop")
        await stage.bound(2)
        host.refuse_unstored()
        host.hold_storing = False
        await phones.wait("answer", lambda each: each["status"] == 0)
        assert [event.content.text for event in host.events] == ["hello"]
        assert len({each.id for each in stage.desk.arrived}) == 1


class ClosedDesk(TestDesk):
    """Nobody is told who has a number until it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()

    async def holder(self, number: str, route: str) -> Host | None:
        """When it is open."""
        found = await super().holder(number, route)
        await self.opened.wait()
        return found


async def test_a_link_that_breaks_before_the_text_is_given(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    desk = ClosedDesk()
    async with on_stage(smsc, phones, tmp_path, desk=desk) as stage:
        await phones.text(PHONE, OURS, "hello")
        await until(lambda: desk.asked)
        await phones.do("drop")
        await stage.bound(2)
        await phones.do("enquire")
        await phones.wait("alive")  # so its repetition has been read, too
        desk.opened.set()
        await phones.wait("answer", lambda each: each["status"] == 0 and each["tries"] == 2)
        assert desk.texts == ["hello"]


async def test_a_text_that_was_not_stored_is_no_suspect(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        await phones.set(retryMs=60_000, mute=["enquire_link"])
        await phones.text(PHONE, OURS, "first")
        await stage.desk.wait(lambda: stage.desk.texts == ["first"])
        # The second is stored, with a state that knows the first; that is not.
        await phones.text(PHONE, OURS, "second")
        await stage.desk.wait(lambda: len(stage.desk.arrived) == 2)
        host.refuse_unstored(1)
        host.store()
        host.hold_storing = False
        await phones.wait("answer", count=2)
        assert open_in(host) == 2
        await until(lambda: open_in(host) == 1)  # though nobody knows whether the second answer was read
        await stage.kill()
        await phones.set(retryMs=10, mute=[])
    async with on_stage(smsc, phones, tmp_path, desk=stage.desk):
        await phones.answer(await phones.text(PHONE, OURS, "first"))
        assert [event.content.text for event in host.events] == ["second", "first"]


async def test_a_kill_before_the_answer_is_read(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = await taken_unread(stage, "hello")
        await stage.kill()
        assert open_in(host) == 1
    async with on_stage(smsc, phones, tmp_path, desk=stage.desk) as again:
        await phones.wait("answer", lambda each: each["status"] == 0)
        assert again.desk.texts == ["hello"]
        await until(lambda: open_in(host) == 0)


async def test_a_part_that_is_repeated(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    first, second = (bytes([5, 0, 3, 1, 2, place]) + b"part " for place in (1, 2))
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.answer(await phones.text(PHONE, OURS, second, esm_class=0x40))
        await phones.set(mute=UNREAD)
        await phones.text(PHONE, OURS, first, esm_class=0x40)
        await stage.desk.wait(lambda: stage.desk.arrived)
        await phones.wait("muted", lambda each: each["command"] == "deliver_sm_resp")
        await phones.set(mute=[])
        await stage.kill()
    async with on_stage(smsc, phones, tmp_path, desk=stage.desk) as again:
        await phones.wait("answer", lambda each: each["tries"] == 2)
        assert again.desk.texts == ["part part "]


async def test_a_clean_stop_leaves_nothing_open(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for n in range(20):
            await phones.text(PHONE, OURS, f"text {n}")
        await stage.desk.wait(lambda: len(stage.desk.arrived) == 20)
        await stage.stop()
        assert open_in(stage.desk.hosts[OURS]) == 0
        counts = await phones.counts()
        assert (counts["delivered"], counts["unbinds"]) == (20, 1)


async def test_a_burst_is_tidied_once(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        for n in range(100):
            await phones.text(PHONE, OURS, f"text {n}")
        await phones.wait("answer", count=100)
        await until(lambda: open_in(host) == 0)
        assert host.saves <= 3


async def test_a_carrier_that_is_not_to_be_asked(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.sms.smpp.fences.TRUSTED_SECONDS", 0.1)
    async with on_stage(smsc, phones, tmp_path, enquire_after_texts=False) as stage:
        host = stage.desk.hosts[OURS]
        await phones.answer(await phones.text(PHONE, OURS, "hello"))
        assert open_in(host) == 1
        await until(lambda: open_in(host) == 0)
        assert (await phones.counts())["enquiries"] == 0


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_breaks_each_text_is_shown_once(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    await phones.set(window=20, retryMs=5)
    desk = TestDesk()
    host = desk.hosts[OURS]
    said = [f"text {n}" for n in range(400)]
    for n in range(0, 400, 40):
        async with on_stage(smsc, phones, tmp_path, desk=desk) as stage:
            fields = [{**address(PHONE, OURS), "short_message": text} for text in said[n : n + 40]]
            wanted = len(host.events) + chance.randrange(1, 30)
            await phones.do("deliver_many", list=[{"fields": each} for each in fields])
            await until(partial(has_come, host, wanted))
            await chance.choice((stage.kill, stage.stop, partial(dropped, stage)))()
    async with on_stage(smsc, phones, tmp_path, desk=desk):
        await until_quiet(phones)
    assert sorted(event.content.text for event in host.events) == sorted(said)
    assert (await phones.counts())["refused"] == 0
    assert any(each["tries"] > 1 for each in phones.of_kind("answer"))


def has_come(host: FakeHost, count: int) -> bool:
    return len(host.events) >= min(count, 400)


async def dropped(stage: Stage) -> None:
    await stage.phones.do("drop")
    await stage.bound(len(stage.phones.of_kind("bind")) + 1)
    await stage.kill()


async def until_quiet(phones: PhoneNetwork) -> None:
    """Wait until the SMSC has nothing more to send."""
    while await phones.do("waiting"):
        await phones.do("counts")


# -- pure --


def test_the_oldest_are_forgotten_first() -> None:
    now = int(time.time())
    old = [Stored(f"{n}", now - KEPT_SECONDS - 1) for n in range(3)]
    new = [Stored(f"new {n}", now - 5) for n in range(MOST + 10)]
    doubles = Doubles([*old, *new])
    assert doubles.repeated("0", now, over=False) is None
    assert len(doubles) == MOST
    assert doubles.repeated("new 9", now, over=False) is None
    entry = doubles.repeated("new 10", now, over=False)
    assert entry is not None
    assert doubles.open() == [Stored("new 10", now)]
    assert doubles.repeated("new 10", now, over=False) is None
    doubles.link_ended()
    assert doubles.repeated("new 10", now, over=False) is entry


async def test_of_one_link_only_so_many_are_remembered() -> None:
    doubles = Doubles([Stored("before", 0)])
    entries = [doubles.add(f"{n}", 10, over=False) for n in range(MOST + 5)]
    assert len(doubles) == MOST
    for entry in entries:
        doubles.remove(entry)
    assert len(doubles) == 0


async def test_three_alike_are_three() -> None:
    doubles = Doubles()
    for _ in range(3):
        doubles.add("same", 10, over=False)
    doubles.link_ended()
    found = [doubles.repeated("same", 11, over=False) for _ in range(4)]
    assert [each is not None for each in found] == [True, True, True, False]


async def test_the_ledger_is_read_as_it_was_written() -> None:
    host = FakeHost()
    ledger = read_ledger(host, None, 600.0)
    ledger.doubles.add("one", 10, over=True)
    ledger.doubles.add("two", 11, over=False)
    again = read_ledger(host, ledger.value(), 600.0)
    assert json.loads(again.doubles.suspects()) == [["one", 10], ["two", 11]]
    for nonsense in ("", "x", "[]", '{"open": 5}', '{"parts": "x", "open": [["a", "b"]]}', "\ud800"):
        assert isinstance(read_ledger(host, nonsense, 600.0), Ledger)


def test_digests_are_short_and_their_own() -> None:
    digests = {digest_of(f"{n}".encode()) for n in range(1000)}
    assert len(digests) == 1000
    assert {len(each) for each in digests} == {12}
