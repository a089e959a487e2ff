"""Receipts, as SMSCs write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.smpp.incoming import Incoming, PduAddress, Tlv
from backends.sms.smpp.receipts import Receipt, canonical, is_receipt, read_receipt
from backends.sms.values import Verdict

STANDARD = "id:{} sub:001 dlvrd:001 submit date:2611210000 done date:2611210001 stat:{} err:{} text:hello"
LOST = "the carrier does not know what became of it; it may have arrived"
DELIVERED, FAILED = Verdict.DELIVERED, Verdict.FAILED


def told(text: str = "", esm_class: int = 4, tlvs: dict[int, bytes] | None = None) -> Incoming:
    there = PduAddress("15551111111", 1, 1)
    return Incoming(there, there, esm_class, 0, text.encode("latin-1"), tlvs or {})


def read(text: str = "", radix: Any = "same", **more: Any) -> Receipt | None:
    return read_receipt(told(text, **more), text, radix)


@pytest.mark.parametrize(
    ("stat", "err", "verdict", "why"),
    [
        ("DELIVRD", "000", DELIVERED, ""),
        ("DELIVERED", "000", DELIVERED, ""),
        ("EXPIRED", "000", FAILED, "the phone could not be reached in time (EXPIRED)."),
        ("UNDELIV", "001", FAILED, "the number does not exist (UNDELIV, error 001)."),
        ("UNDELIV", "027", FAILED, "the phone is switched off or out of reach (UNDELIV, error 027)."),
        ("UNDELIV", "13", FAILED, "the phone does not take such texts (barred) (UNDELIV, error 13)."),
        ("UNDELIV", "4f2", FAILED, "the carrier could not deliver it (UNDELIV, error 4f2)."),
        ("UNDELIV", "999999999", FAILED, "the carrier could not deliver it (UNDELIV, error 999999999)."),
        ("REJECTD", "000", FAILED, "the network has refused it (REJECTD)."),
        ("DELETED", "0", FAILED, "the carrier has deleted it (DELETED)."),
        ("UNKNOWN", "0", FAILED, f"{LOST} (UNKNOWN)."),
        ("ACCEPTD", "000", None, ""),
        ("ENROUTE", "000", None, ""),
        ("SCHEDULED", "000", None, ""),
        ("NONSENSE", "000", None, ""),
    ],
)
def test_the_states_of_appendix_b(stat: str, err: str, verdict: Verdict | None, why: str) -> None:
    assert read(STANDARD.format("12345", stat, err)) == Receipt("12345", verdict, why)


@pytest.mark.parametrize(
    "text",
    [
        "id:77 stat:DELIVRD",
        "ID:77 SUB:1 STAT:delivrd ERR:0",
        "id: 77 dlvrd: 001 stat: DELIVRD",
        "stat:DELIVRD,id:77,err:000",
        "id:77\nstat:DELIVRD\nerr:000\n",
        "id:0000000077 submit date:20261121000000 done date:20261121000001 stat:DELIVRD err: text:",
        "id:77 stat:DELIVRD err:000 Text:id:99 stat:UNDELIV err:001",
        "id:77 sub:001 dlvrd:001 submit date:now done date:later stat:DELIVRD err:x text:\xe9\x00\xff",
    ],
)
def test_they_are_read_leniently(text: str) -> None:
    assert read(text) == Receipt("77", DELIVERED)
    assert is_receipt(told(text), text, unmarked=False)


def test_what_the_tlvs_say_counts_more() -> None:
    tlvs = {Tlv.RECEIPTED_ID: b"0005\0", Tlv.STATE: b"\5", Tlv.NETWORK_ERROR: b"\3\0\x1b"}
    why = "the phone is switched off or out of reach (UNDELIV, error 27)."
    assert read("id:9 stat:DELIVRD", tlvs=tlvs) == Receipt("5", FAILED, why)
    assert read("", tlvs={Tlv.RECEIPTED_ID: b"abc", Tlv.STATE: b"\2"}) == Receipt("abc", DELIVERED)
    no_state = read("id:9 stat:UNDELIV", tlvs={Tlv.STATE: b"\x63"})
    assert no_state == Receipt("9", FAILED, "the carrier could not deliver it (UNDELIV).")


@pytest.mark.parametrize(
    ("radix", "answered", "text", "tagged"),
    [
        ("same", "1234", "1234", b""),
        ("same", "1234", "0000001234", b""),
        ("same", "0000001234", "1234", b""),
        ("same", "0A3F-x", "0A3F-x", b""),
        ("same", "3b08ca73-4244-4717-9e88-082414ff3d2e", "3b08ca73-4244-4717-9e88-082414ff3d2e", b""),
        ("hex", "1234", "4D2", b""),
        ("hex", "1234", "000004d2", b""),
        ("hex", "1234", "4D2", b"1234"),
        ("hex", "1234", "4D2", b"4D2"),
        ("decimal", "4D2", "1234", b""),
        ("decimal", "000004d2", "1234", b""),
        ("decimal", "4D2", "1234", b"4D2"),
        ("decimal", "4D2", "1234", b"1234"),
    ],
)
def test_ids_are_found_again(radix: Any, answered: str, text: str, tagged: bytes) -> None:
    found = read(f"id:{text} stat:DELIVRD", radix, tlvs={Tlv.RECEIPTED_ID: tagged} if tagged else None)
    assert found is not None
    assert found.id == canonical(answered, radix)


def test_what_is_no_receipt_is_a_text() -> None:
    for text in ("hello", "my id: 5 is my status: fine", "id:", "the stat:DELIVRD id:5"):
        assert not is_receipt(told(text, esm_class=0), text, unmarked=True)
    # A person's acknowledgement has what they wrote.
    assert not is_receipt(told("ok, read it", esm_class=0x10), "ok, read it", unmarked=True)
    # Some SMSCs do not mark them; with others somebody has written it.
    unmarked = STANDARD.format("5", "DELIVRD", "000")
    assert is_receipt(told(unmarked, esm_class=0), unmarked, unmarked=True)
    assert not is_receipt(told(unmarked, esm_class=0), unmarked, unmarked=False)
    tlvs = {Tlv.RECEIPTED_ID: b"5\0", Tlv.STATE: b"\2"}
    assert is_receipt(told("", esm_class=0, tlvs=tlvs), "", unmarked=False)


def test_a_marked_one_without_an_id_says_nothing() -> None:
    assert is_receipt(told("something"), "something", unmarked=False)
    assert read("something") is None


@given(
    st.text(max_size=300),
    st.dictionaries(
        st.sampled_from([Tlv.RECEIPTED_ID, Tlv.STATE, Tlv.NETWORK_ERROR]), st.binary(max_size=80), max_size=3
    ),
    st.sampled_from(["same", "hex", "decimal"]),
    st.integers(0, 255),
)
def test_nothing_raises(text: str, tlvs: dict[int, bytes], radix: Any, esm_class: int) -> None:
    there = PduAddress("1")
    incoming = Incoming(there, there, esm_class, 0, b"", tlvs)
    for said in (text, f"id:{text} stat:{text} err:{text}"):
        is_receipt(incoming, said, unmarked=True)
        read_receipt(incoming, said, radix)
