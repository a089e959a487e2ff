"""Texts and receipts that come in, from a real SMSC."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from backends.sms.smpp import arrivals
from backends.sms.smpp.incoming import Tlv
from backends.sms.values import Arrived, Outgoing, Report, Verdict
from bridge.api import ContactId, Host, Sent
from tests.peers.smsc import PhoneNetwork, Smsc, address
from tests.sms.smpp.stage import OTHERS, OURS, PHONE, TestDesk, ids, on_stage, until
from tests.sms.smpp.written import deliver_body, tlv

DATA_SM = 0x103
FOR_NOW, FOR_GOOD = 0x64, 0x65


def udh(reference: int, total: int, place: int) -> bytes:
    return bytes([5, 0, 3, reference, total, place])


async def test_a_text_is_answered_when_it_is_stored(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        number = await phones.text(PHONE, OURS, "hello")
        await stage.desk.wait(lambda: stage.desk.texts == ["hello"])
        await phones.do("enquire")
        await phones.wait("alive")  # whatever was to be answered before would have come by now
        assert phones.of_kind("answer") == []
        host.store()
        assert await phones.answer(number) == 0
        arrived = stage.desk.arrived[0]
        assert (arrived.number, arrived.contact, arrived.sent_at) == (OURS, PHONE, None)
        assert arrived.id.startswith("main ")
        assert stage.desk.asked[0] == (OURS, "main")


@pytest.mark.parametrize(
    ("octets", "fields", "text"),
    [
        (b"caf\x05 \x1be", {}, "café €"),
        ("zażółć 👍".encode("utf-16-be"), {"data_coding": 8}, "zażółć 👍"),
        (b"gr\xfc\xdfe", {"data_coding": 3}, "grüße"),
        (b"plain", {"data_coding": 1}, "plain"),
        (b"flash", {"data_coding": 0x10}, "flash"),
        (b"odd", {"data_coding": 0x0B}, "odd"),
        (b"odd", {"data_coding": 0x6F}, "[3 bytes that are not text]"),
        (b"\x00\x01\x02", {"data_coding": 4}, "[3 bytes that are not text]"),
        (b"", {}, "[an empty text]"),
        (b"\x03\x24\x01\x00ok", {"esm_class": 0x40}, "ok"),
    ],
)
async def test_any_coding_is_shown(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, octets: bytes, fields: dict[str, Any], text: str
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        assert await phones.answer(await phones.text(PHONE, OURS, octets, **fields)) == 0
        assert stage.desk.texts == [text]


async def test_a_number_that_is_somebody_elses_by_the_next_text(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        hosts = stage.desk.hosts
        before, after = hosts[OURS], hosts[OTHERS]
        assert await phones.answer(await phones.text(PHONE, OURS, "one")) == 0
        hosts[OURS] = after
        assert await phones.answer(await phones.text(PHONE, OURS, "two")) == 0
        del hosts[OURS]
        assert await phones.answer(await phones.text(PHONE, OURS, "three")) == FOR_GOOD
        assert [[event.content.text for event in each.events] for each in (before, after)] == [
            ["one"],
            ["two"],
        ]


async def test_the_carriers_own_alphabet(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, alphabet="latin1") as stage:
        assert await phones.answer(await phones.text(PHONE, OURS, b"gr\xfc\xdfe @")) == 0
        assert stage.desk.texts == ["grüße @"]


@pytest.mark.parametrize(
    ("source", "ton", "contact", "name"),
    [
        ("15551111111", 1, "+15551111111", ""),
        ("+15551111111", 0, "+15551111111", ""),
        ("2025550123", 2, "+12025550123", ""),
        ("12345", 3, "12345;phone-context=+1", ""),
        ("My Bank", 5, "my bank", "My Bank"),
    ],
)
async def test_senders_of_any_kind(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, source: str, ton: int, contact: str, name: str
) -> None:
    async with on_stage(smsc, phones, tmp_path, country="US") as stage:
        await phones.answer(await phones.text("", OURS, "x", source_addr=source, source_addr_ton=ton))
        assert [(each.contact, each.name) for each in stage.desk.arrived] == [(contact, name)]


@pytest.mark.parametrize(
    ("destination", "ton", "country"),
    [("15550000001", 0, ""), ("+15550000001", 1, ""), ("5550000001", 2, "US"), ("0015550000001", 0, "")],
)
async def test_our_number_in_any_form(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, destination: str, ton: int, country: str
) -> None:
    async with on_stage(smsc, phones, tmp_path, country=country) as stage:
        fields = {**address(PHONE, ""), "destination_addr": destination, "dest_addr_ton": ton}
        assert await phones.answer(await phones.deliver({**fields, "short_message": "x"})) == 0
        assert [each.number for each in stage.desk.arrived] == [OURS]


async def test_what_nobody_has_is_refused_for_good(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for _ in range(2):
            assert await phones.answer(await phones.text(PHONE, "+15559999999", "secret words")) == FOR_GOOD
        assert stage.desk.arrived == []
        told = [record.getMessage() for record in caplog.records if "15559999999" in record.getMessage()]
        assert told == ["route main: something came for the number '15559999999', which nobody has"]
        assert "secret words" not in caplog.text


async def test_a_receipt_that_nobody_has_is_taken(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        receipt = {"esm_class": 4, "short_message": "id:1 stat:DELIVRD err:000"}
        for fields in (receipt, {**receipt, "short_message": "no id at all"}):
            number = await phones.deliver({**address(PHONE, "+15559999999"), **fields})
            assert await phones.answer(number) == 0
        assert stage.desk.reports == []


async def test_a_payload_in_both_kinds_of_pdu(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        long = b"long " * 200
        deliver = deliver_body(PHONE[1:].encode(), OURS[1:].encode(), b"", tlvs=[(Tlv.PAYLOAD, long)])
        assert await phones.answer(await phones.deliver_raw(deliver)) == 0
        data = (
            b"\0\1\1"
            + PHONE[1:].encode()
            + b"\0\1\1"
            + OURS[1:].encode()
            + b"\0\0\0\0"
            + tlv(Tlv.PAYLOAD, long)
        )
        number = await phones.deliver_raw(data, DATA_SM)
        assert await phones.answer(number) == 0
        assert phones.of_kind("answer")[-1]["command"] == "data_sm_resp"
        assert stage.desk.texts == [long.decode()] * 2


async def test_parts_in_any_order_of_several_senders(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    pieces = ["one, ", "two, ", "three €, ", "four"]
    senders = [f"+1555111000{n}" for n in range(5)]
    async with on_stage(smsc, phones, tmp_path) as stage:
        parts = list(itertools.product(senders, enumerate(pieces, 1)))
        random.Random(7).shuffle(parts)
        for sender, (place, piece) in parts:
            octets = udh(9, 4, place) + piece.replace("€", "\x1be").encode("latin-1")
            await phones.text(sender, OURS, octets, esm_class=0x40)
        await phones.wait("answer", count=20)
        whole = "".join(pieces)
        assert sorted((each.contact, each.text) for each in stage.desk.arrived) == [
            (each, whole) for each in senders
        ]
        assert len({each.id for each in stage.desk.arrived}) == 5


async def test_parts_by_tlvs(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for place, piece in ((2, "world"), (1, "hello ")):
            sar = {"sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": place}
            assert await phones.answer(await phones.text(PHONE, OURS, piece, **sar)) == 0
        assert stage.desk.texts == ["hello world"]


async def test_a_flood_stays_in_order(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.set(window=500)
        said = [f"text {n}" for n in range(1000)]
        await phones.do(
            "deliver_many",
            list=[
                {"fields": {**address(PHONE, (OURS, OTHERS)[n % 2]), "short_message": text}}
                for n, text in enumerate(said)
            ],
        )
        await phones.wait("answer", count=1000, seconds=20)
        for number, texts in ((OURS, said[::2]), (OTHERS, said[1::2])):
            assert [each.text for each in stage.desk.arrived if each.number == number] == texts
        counts = await phones.counts()
        assert (counts["delivered"], counts["refused"]) == (1000, 0)


async def test_while_the_store_is_out_nothing_is_taken(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.out = True
        number = await phones.text(PHONE, OURS, "hello")
        answers = await phones.wait("answer", lambda each: each["tries"] >= 3, count=1)
        assert {each["status"] for each in phones.of_kind("answer")} == {FOR_NOW}
        assert answers
        host.out = False
        await phones.wait("answer", lambda each: each["n"] == number and each["status"] == 0)
        assert len(host.events) == 1
        # Each time it had the same id, so that the bridge would know it.
        assert len({each.id for each in stage.desk.arrived}) == 1


async def test_while_nobody_can_be_looked_up_nothing_is_taken(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        stage.desk.out = True
        await phones.text(PHONE, OURS, "hello")
        await phones.wait("answer", lambda each: each["status"] == FOR_NOW)
        stage.desk.out = False
        await phones.wait("answer", lambda each: each["status"] == 0)
        assert stage.desk.texts == ["hello"]


async def test_parts_while_the_store_is_out(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        await phones.answer(await phones.text(PHONE, OURS, udh(1, 2, 1) + b"one ", esm_class=0x40))
        host.out = True
        second = await phones.text(PHONE, OURS, udh(1, 2, 2) + b"two", esm_class=0x40)
        await phones.wait("answer", lambda each: each["tries"] >= 2)
        host.out = False
        await phones.wait("answer", lambda each: each["n"] == second and each["status"] == 0)
        assert [event.content.text for event in host.events] == ["one two"]


async def test_an_answer_does_not_wait_for_ever(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        await phones.text(PHONE, OURS, "hello")
        await phones.wait("answer", lambda each: each["status"] == FOR_NOW)
        host.hold_storing = False
        await phones.wait("answer", lambda each: each["status"] == 0)
        assert len({each.id for each in stage.desk.arrived}) == 1


async def test_too_much_at_once_is_not_read(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_AT_ONCE", 10)
    monkeypatch.setattr(arrivals, "PATIENCE", 0.1)
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        await phones.set(window=30, retryMs=100)
        for n in range(30):
            await phones.text(PHONE, OURS, f"text {n}")
        # The others are refused for now, and the link goes on.
        await phones.wait("answer", lambda each: each["status"] == 0x14, count=20)
        assert len(stage.desk.arrived) == 10
        assert isinstance(await stage.send("goes out"), Sent)
        host.hold_storing = False
        host.store()
        await phones.wait("answer", lambda each: each["status"] == 0, count=30)
        assert sorted(stage.desk.texts) == sorted(f"text {n}" for n in range(30))


@pytest.mark.parametrize(
    ("rule", "more", "verdict", "words"),
    [
        ({}, {}, Verdict.DELIVERED, ""),
        ({"tlvs": False}, {}, Verdict.DELIVERED, ""),
        ({"text": ""}, {}, Verdict.DELIVERED, ""),
        ({"tlvs": False, "esm_class": 0}, {"unmarked_receipts": True}, Verdict.DELIVERED, ""),
        (
            {"stat": "UNDELIV", "err": "001"},
            {},
            Verdict.FAILED,
            "the number does not exist (UNDELIV, error 001).",
        ),
        ({"stat": "EXPIRED"}, {}, Verdict.FAILED, "the phone could not be reached in time (EXPIRED)."),
        ({"tlvs": False, "ids": "hex"}, {"receipt_ids": "hex"}, Verdict.DELIVERED, ""),
        ({"tlvs": False, "ids": "decimal", "id": "hex"}, {"receipt_ids": "decimal"}, Verdict.DELIVERED, ""),
        ({"tlvs": False, "ids": "stripped", "id": "zeros"}, {}, Verdict.DELIVERED, ""),
        ({"id": "long"}, {}, Verdict.DELIVERED, ""),
        ({"early": True}, {}, Verdict.DELIVERED, ""),
    ],
)
async def test_a_receipt_names_the_text_that_it_is_of(
    smsc: Smsc,
    phones: PhoneNetwork,
    tmp_path: Path,
    rule: dict[str, Any],
    more: dict[str, Any],
    verdict: Verdict,
    words: str,
) -> None:
    async with on_stage(smsc, phones, tmp_path, **more) as stage:
        await phones.rule(id=rule.pop("id", None), reports=[rule])
        outcome = await stage.send("hello")
        await stage.desk.wait(lambda: stage.desk.reports)
        assert stage.desk.reports == [Report(ids(outcome)[0], ContactId(PHONE), verdict, words)]
        await phones.wait("answer", lambda each: each["status"] == 0)


async def test_each_part_has_its_receipt(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        outcome = await stage.send("x" * 400)
        await stage.desk.wait(lambda: len(stage.desk.reports) == 3)
        assert sorted(report.id for report in stage.desk.reports) == sorted(ids(outcome))


async def test_a_receipt_for_what_went_out_under_a_name(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path, desk=TestDesk("Rose & Co")) as stage:
        outcome = await stage.carrier.send(Outgoing("Rose & Co", ContactId(PHONE), "Tea is ready", "key"))
        await stage.desk.wait(lambda: stage.desk.reports)
        assert [report.id for report in stage.desk.reports] == ids(outcome)


async def test_what_is_not_final_is_not_told(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        reports = [{"stat": "ENROUTE"}, {"stat": "ACCEPTD"}, {"stat": "DELIVRD", "ms": 20}]
        await phones.rule(reports=reports)
        await stage.send("hello")
        await phones.wait("answer", count=3)
        assert [report.verdict for report in stage.desk.reports] == [Verdict.DELIVERED]


async def test_a_receipt_is_answered_when_it_is_told(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        host = stage.desk.hosts[OURS]
        host.out = True
        await stage.send("hello")
        await phones.wait("answer", lambda each: each["status"] == FOR_NOW)
        host.out = False
        await phones.wait("answer", lambda each: each["status"] == 0)
        assert len(host.events) == 1


async def test_no_octets_break_the_link(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    chance = random.Random(20)
    good = deliver_body(PHONE[1:].encode(), OURS[1:].encode(), b"hello", tlvs=[(Tlv.STATE, b"\2")])
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.set(window=50)
        bodies = [chance.randbytes(chance.randrange(120)) for _ in range(150)]
        for _ in range(150):
            changed = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            bodies.append(bytes(changed[: chance.randrange(1, len(changed) + 1)]))
        for body in bodies:
            await phones.deliver_raw(body, chance.choice((5, DATA_SM)), once=True)
        await phones.wait("answer", count=300)
        assert {each["status"] for each in phones.of_kind("answer")} <= {0, FOR_GOOD}
        assert (await phones.counts())["connections"] == 1
        assert isinstance(await stage.send("goes on"), Sent)


async def test_a_fault_of_ours_is_logged_and_the_text_kept(
    smsc: Smsc,
    phones: PhoneNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(arrivals, "read_message", broken)
        async with on_stage(smsc, phones, tmp_path) as stage:
            await phones.text(PHONE, OURS, "hello")
            await phones.wait("answer", lambda each: each["status"] == FOR_NOW)
            patched.undo()
            await phones.wait("answer", lambda each: each["status"] == 0)
            assert stage.desk.texts == ["hello"]
    assert "a fault of the SMPP carrier" in caplog.text


async def test_texts_that_are_alike_are_shown_as_often_as_they_came(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        for _ in range(3):
            await phones.text(PHONE, OURS, "ok")
        await phones.wait("answer", count=3)
        assert stage.desk.texts == ["ok"] * 3
        assert len({each.id for each in stage.desk.arrived}) == 3
        host = stage.desk.hosts[OURS]
        await until(lambda: host.saves >= 1)  # that their answers were read


class SlowDesk(TestDesk):
    """Who has a number takes it a while to say, and texts are told to hosts only when they are awaited: the
    first ones take longest."""

    slow = 0.05

    async def holder(self, number: str, route: str) -> Host | None:
        """Later, and sooner each time."""
        self.slow /= 2
        await asyncio.sleep(self.slow)
        return await super().holder(number, route)

    async def text(self, host: Host, arrived: Arrived, *, cursor: tuple[str, str] | None = None) -> None:
        """In its own time."""
        self.slow /= 2
        await asyncio.sleep(self.slow)
        await super().text(host, arrived, cursor=cursor)


async def test_a_slow_desk_changes_no_order(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, desk=SlowDesk()) as stage:
        await phones.set(mute=["enquire_link"])
        for n in range(8):
            await phones.text(PHONE, OURS, f"text {n}")
        await phones.wait("answer", count=8)
        host = stage.desk.hosts[OURS]
        assert [event.content.text for event in host.events] == [f"text {n}" for n in range(8)]
        assert len(json.loads(host.cursors["smpp main"])["open"]) == 8
