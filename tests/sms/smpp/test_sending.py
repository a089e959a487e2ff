"""Texts that go out, to a real SMSC with phones behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.sms.values import Outgoing
from bridge.api import ContactId, Later, Reason, Refused, Sent, Unknown
from tests.peers.smsc import PhoneNetwork, Smsc
from tests.sms.smpp.stage import OURS, PHONE, QUICK, ids, on_stage, until

LONG_GSM = "GSM [€] text, " * 22
LONG_UCS2 = "long ünicode text 👩‍👩‍👧 🇩🇪 – " * 10
AT = PHONE[1:]


@pytest.mark.parametrize("concatenation", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize("text", ["short", "€ and {braces}", "short ünicode ✓", LONG_GSM, LONG_UCS2])
async def test_a_text_arrives_as_it_was_written(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, concatenation: str, text: str
) -> None:
    async with on_stage(smsc, phones, tmp_path, concatenation=concatenation) as stage:
        outcome = await stage.send(text)
        assert await phones.inbox(AT) == [text]
        submits = phones.of_kind("submit")
        count = 1 if concatenation == "payload" else stage.carrier.segments(text)
        assert len(submits) == count
        assert ids(outcome) == [f"main {each['id']}" for each in submits]
        assert "".join(part.content.text for part in outcome.parts) == text


async def test_the_fields_are_as_the_number_says(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await stage.send("a")
        await stage.send("b", to="12345;phone-context=+1")
        await stage.carrier.send(Outgoing("54321", ContactId(PHONE), "c", "key"))
        await stage.carrier.send(Outgoing("Rose & Co", ContactId(PHONE), "d", "key"))
    plain, short, ours_short, name = (each["pdu"] for each in await phones.wait("submit", count=4))
    assert (plain["source_addr"], plain["destination_addr"]) == (OURS[1:], AT)
    names = ("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi")
    assert [plain[each] for each in names] == [1, 1, 1, 1]
    assert plain["registered_delivery"] == 1
    assert plain["validity_period"] == ""
    assert (short["destination_addr"], [short[each] for each in names]) == ("12345", [1, 1, 3, 0])
    assert (ours_short["source_addr"], [ours_short[each] for each in names]) == ("54321", [3, 0, 1, 1])
    assert (name["source_addr"], [name[each] for each in names]) == ("Rose & Co", [5, 0, 1, 1])


async def test_the_admin_may_say_otherwise(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    more: dict[str, Any] = {"source_ton": 5, "source_npi": 0, "validity_hours": 50, "reports": False}
    async with on_stage(smsc, phones, tmp_path, **more) as stage:
        await stage.send("a")
    pdu = phones.of_kind("submit")[0]["pdu"]
    assert (pdu["source_addr_ton"], pdu["source_addr_npi"], pdu["registered_delivery"]) == (5, 0, 0)
    assert b"000002020000000R\0" in bytes.fromhex(pdu["raw"])


@pytest.mark.parametrize(
    ("alphabet", "text", "data_coding", "octets"),
    [
        ("gsm", "é@€", 0, b"\x05\x00\x1be"),
        ("latin1", "é@", 0, b"\xe9@"),
        ("latin1", "é@€", 8, "é@€".encode("utf-16-be")),
        ("ascii", "@[a]", 0, b"@[a]"),
        ("ascii", "é", 8, "é".encode("utf-16-be")),
    ],
)
async def test_the_alphabet_is_that_of_the_carrier(
    smsc: Smsc,
    phones: PhoneNetwork,
    tmp_path: Path,
    alphabet: str,
    text: str,
    data_coding: int,
    octets: bytes,
) -> None:
    async with on_stage(smsc, phones, tmp_path, alphabet=alphabet) as stage:
        assert isinstance(await stage.send(text), Sent)
        long = text * 100
        assert isinstance(await stage.send(long), Sent)
        pdu = phones.of_kind("submit")[0]["pdu"]
        assert pdu["data_coding"] == data_coding
        assert bytes.fromhex(pdu["raw"]).endswith(bytes([len(octets)]) + octets)
        if alphabet == "gsm" or data_coding == 8:
            assert (await phones.inbox(AT))[1] == long


async def test_references_do_not_come_again(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for _ in range(3):
            await stage.send(LONG_GSM)
        await stage.send(LONG_GSM, to="+15552222222")
    headers = [each["pdu"]["short_message"]["udh"] for each in await phones.wait("submit", count=12)]
    references = [int(header[4:6], 16) for header in headers[::3]]
    assert (references[1] - references[0]) % 256 == (references[2] - references[1]) % 256 == 1


REFUSALS = [
    (
        0x0B,
        Reason.NOT_FOUND,
        "The carrier takes no texts for this number: it may not exist (error 0x0000000B).",
    ),
    (0x0A, Reason.FORBIDDEN, "The carrier lets no texts go out from your number (error 0x0000000A)."),
    (0x01, Reason.TOO_LONG, "The carrier found the text too long (error 0x00000001)."),
    (0x45, Reason.GONE, "The carrier could not take the text (error 0x00000045)."),
    (0xC4, Reason.UNSUPPORTED, None),
    (0x45A, Reason.FORBIDDEN, "The carrier refused it (error 0x0000045A)."),
    (0xFFFFFFFF, Reason.FORBIDDEN, "The carrier refused it (error 0xFFFFFFFF)."),
    (0xFF, Reason.FORBIDDEN, "The carrier refused it (error 0x000000FF)."),
]


@pytest.mark.parametrize("how", ["status", "nack"])
async def test_a_refusal_is_told_in_words(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, how: str) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for status, reason, words in REFUSALS:
            await phones.rule(**{how: status, "take": False})
            outcome = await stage.send("x")
            assert isinstance(outcome, Refused)
            assert outcome.reason is reason
            assert words is None or outcome.text == words
        await phones.rule()
        assert isinstance(await stage.send("y"), Sent)
        assert (await phones.counts())["connections"] == 1


async def test_trouble_of_the_carriers_own_is_tried_again_later(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for status in (0x08, 0x64):
            await phones.rule(status=status)
            assert await stage.send("x") == Later(60.0, f"The carrier has trouble (error 0x{status:08X}).")
        assert await phones.inbox(AT) == []


async def test_a_refused_first_part_stops_the_others(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(status=0x0B)
        assert isinstance(await stage.send(LONG_GSM), Refused)
        assert (await phones.counts())["submits"] == 1


async def test_parts_that_were_taken_are_told_of(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(status=0x45, after=2)
        outcome = await stage.send(LONG_GSM)
        assert outcome == Unknown(
            "2 of 3 parts were taken. The carrier could not take the text (error 0x00000045)."
        )


async def test_a_busy_carrier_is_asked_again(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(status=0x58, times=4)
        assert isinstance(await stage.send(LONG_GSM), Sent)
        assert await phones.inbox(AT) == [LONG_GSM]
        await phones.rule(status=0x14, times=1)
        assert isinstance(await stage.send("queue full"), Sent)
        assert await phones.inbox(AT) == [LONG_GSM, "queue full"]


async def test_a_carrier_that_stays_busy(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    times = msgspec.structs.replace(QUICK, busy=0.3)
    async with on_stage(smsc, phones, tmp_path, times) as stage:
        await phones.rule(status=0x58)
        assert await stage.send("x") == Later(15.0, "The carrier takes no more texts at the moment.")
        assert (await phones.counts())["submits"] > 2
        await phones.rule(status=0x58, after=1)
        outcome = await stage.send(LONG_GSM)
        assert outcome == Unknown("1 of 3 parts were taken. The carrier takes no more texts at the moment.")


async def test_the_pace_settles_at_what_the_carrier_takes(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.set(rate=100)
        outcomes = await asyncio.gather(*(stage.send(f"text {n}") for n in range(150)))
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
        assert sorted(await phones.inbox(AT)) == sorted(f"text {n}" for n in range(150))
        # Without slowing down, each text would be refused hundreds of times in that second.
        assert (await phones.counts())["submits"] < 150 * 3


async def test_the_rate_is_held(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, rate=100.0) as stage:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(stage.send(f"text {n}") for n in range(51)))
        assert asyncio.get_running_loop().time() - began >= 0.45


async def test_the_window_is_held(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, window=7) as stage:
        await phones.rule(delay=10)
        outcomes = await asyncio.gather(*(stage.send(f"text {n}") for n in range(60)))
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
        assert (await phones.counts())["most_open"] == 7


async def test_answers_in_any_order_find_their_texts(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        numbers = [f"1555300{n:04}" for n in range(20)]
        for n, number in enumerate(numbers):
            await phones.rule(number, delay=(n * 7) % 20, status=0x400 + n, times=n % 2)
        outcomes = await asyncio.gather(*(stage.send("x", to=f"+{number}") for number in numbers))
        for n, outcome in enumerate(outcomes):
            if n % 2:
                assert outcome == Refused(
                    Reason.FORBIDDEN, f"The carrier refused it (error 0x{0x400 + n:08X})."
                )
            else:
                sent = [
                    each for each in phones.of_kind("submit") if each["pdu"]["destination_addr"] == numbers[n]
                ]
                assert ids(outcome) == [f"main {sent[0]['id']}"]


async def test_no_answer_is_unknown(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, response_seconds=1.0) as stage:
        await phones.rule("15552222222", answer=False)
        began = asyncio.get_running_loop().time()
        silent = asyncio.create_task(stage.send(LONG_GSM, to="+15552222222"))
        assert isinstance(await stage.send("others go on"), Sent)
        assert await silent == Unknown(
            "0 of 3 parts were taken. The carrier has not answered within 1 seconds."
        )
        assert 0.9 < asyncio.get_running_loop().time() - began < 3.0
        assert (await phones.counts())["connections"] == 1


async def test_a_late_answer_disturbs_nobody(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, response_seconds=1.0) as stage:
        await phones.rule("15552222222", delay=1200)
        assert isinstance(await stage.send("slow", to="+15552222222"), Unknown)
        await phones.wait("answered")
        assert isinstance(await stage.send("next"), Sent)


async def test_a_broken_link_is_unknown_at_once(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, window=3) as stage:
        await phones.rule(answer=False)
        sending = [asyncio.create_task(stage.send(f"text {n}")) for n in range(5)]
        await phones.wait("submit", count=3)
        await phones.do("drop")
        outcomes = await asyncio.gather(*sending)
        lost = Unknown("The link to the carrier broke before it had answered.")
        waited = Later(3.0, "The carrier cannot be reached now.")
        assert outcomes == [lost, lost, lost, waited, waited]
        await stage.bound(2)
        await phones.rule()
        assert isinstance(await stage.send("again"), Sent)


async def test_a_link_that_breaks_instead_of_an_answer(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(drop=True, take=False)
        assert isinstance(await stage.send("x"), Unknown)


async def test_a_cancelled_text_leaves_its_place(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, window=1) as stage:
        await phones.rule(answer=False)
        first = asyncio.create_task(stage.send("first"))
        await phones.wait("submit")
        waiting = [asyncio.create_task(stage.send(f"waiting {n}")) for n in range(3)]
        await until(lambda: len(stage.carrier._window._queue) == 3)
        waiting[1].cancel()
        first.cancel()
        await asyncio.gather(first, waiting[1], return_exceptions=True)
        assert len(stage.carrier._window._queue) == 2
        await phones.rule()
        await phones.do("drop")
        assert [type(each) for each in await asyncio.gather(waiting[0], waiting[2])] == [Later, Later]


async def test_what_is_too_long_is_refused_before(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        outcome = await stage.send("x" * 50_000)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.TOO_LONG
        assert stage.carrier.segments("x" * 10_000) == 66
        assert isinstance(await stage.send("x" * 10_000), Sent)
        assert await phones.inbox(AT) == ["x" * 10_000]


async def test_a_stage_without_a_link_says_later(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await stage.stop()
        assert await stage.send("x") == Later(3.0, "The gateway is being restarted.")
        assert await phones.inbox(AT) == []


async def test_a_link_that_is_gone_for_long_is_looked_for_less_often(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await stage.stop()
        window = stage.carrier._window
        for gone, pause in ((0.0, 3.0), (60.0, 15.0), (10_000.0, 30.0)):
            monkeypatch.setattr(window, "_down_since", window._down_since - gone)
            outcome = await stage.send("x")
            assert isinstance(outcome, Later)
            assert outcome.after == pytest.approx(pause, abs=0.5)
