"""Long texts of which parts are missing, and those that wait for theirs over a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backends.sms.smpp.carrier import SmppCarrier
from backends.sms.smpp.options import SmppOptions
from backends.sms.text.joining import Joining
from bridge.testing.fake_host import FakeHost
from tests.peers.smsc import PhoneNetwork, Smsc
from tests.sms.smpp.stage import OURS, PHONE, QUICK, ROUTE, Stage, on_stage, options, until

CURSOR = "smpp main"


def udh(reference: int, total: int, place: int) -> bytes:
    return bytes([5, 0, 3, reference, total, place])


def waiting(host: FakeHost) -> float | None:
    """Until when parts wait, by what is stored."""
    return Joining.decode(json.loads(host.cursors[CURSOR])["parts"]).next_expiry


async def part(phones: PhoneNetwork, place: int, text: bytes, total: int = 3) -> None:
    number = await phones.text(PHONE, OURS, udh(1, total, place) + text, esm_class=0x40)
    assert await phones.answer(number) == 0


async def test_what_is_missing_is_marked_in_the_end(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, parts_seconds=0.2) as stage:
        await part(phones, 1, b"one ")
        await part(phones, 3, b"three")
        await stage.desk.wait(lambda: stage.desk.arrived)
        assert stage.desk.texts == ["one  [part 2 of 3 is missing] three"]
        # The third that comes late is shown, too.
        await part(phones, 2, b"two ")
        await stage.desk.wait(lambda: len(stage.desk.arrived) == 2)


async def test_each_part_is_stored_before_it_is_answered(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        await part(phones, 1, b"one ")
        assert host.saves == 1
        assert waiting(host) is not None
        await part(phones, 2, b"two ")
        await part(phones, 3, b"three")
        assert stage.desk.texts == ["one two three"]
        assert waiting(host) is None  # that was stored with the text


async def test_parts_wait_over_a_restart(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await part(phones, 2, b"two ")
        kept = stage.desk
    async with on_stage(smsc, phones, tmp_path, desk=kept) as again:
        await part(phones, 1, b"one ")
        await part(phones, 3, b"three")
        assert again.desk.texts == ["one two three"]


async def test_time_goes_on_while_nobody_is_there(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, parts_seconds=0.2) as stage:
        await part(phones, 2, b"two ")
        kept = stage.desk
    async with on_stage(smsc, phones, tmp_path, desk=kept, parts_seconds=0.2) as again:
        assert again.desk.arrived == []  # nothing has asked for the account yet
        again.carrier.wake(kept.hosts[OURS])
        await again.desk.wait(lambda: again.desk.arrived)
        assert "two" in again.desk.texts[0]
        assert "missing" in again.desk.texts[0]


async def test_an_account_that_is_there_before_the_link(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path, parts_seconds=0.2) as stage:
        await part(phones, 2, b"two ")
        kept = stage.desk
    carrier = SmppCarrier(ROUTE, in_a_hurry(smsc, tmp_path), FakeHost(), QUICK)
    carrier.wake(kept.hosts[OURS])
    again = Stage(carrier, kept, phones)
    await again.start()
    await kept.wait(lambda: kept.arrived)
    await again.stop()


async def test_while_the_store_is_out_nothing_is_given_out(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("backends.sms.smpp.texts.AGAIN_SECONDS", 0.1)
    async with on_stage(smsc, phones, tmp_path, parts_seconds=0.3) as stage:
        host = stage.desk.hosts[OURS]
        await part(phones, 1, b"one ")
        host.out = True
        await stage.desk.wait(lambda: len(stage.desk.arrived) >= 2)
        assert host.events == []
        host.out = False
        await until(lambda: host.events)
        assert len({each.id for each in stage.desk.arrived}) == 1


def in_a_hurry(smsc: Smsc, folder: Path) -> SmppOptions:
    return options(smsc, folder, parts_seconds=0.2)
