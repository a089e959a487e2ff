"""Any octets are read as a PDU; none raise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.smpp import incoming as pdus
from backends.sms.smpp.framing import write_frame
from backends.sms.smpp.incoming import Incoming, PduAddress, Tlv, read_data, read_deliver
from backends.sms.smpp.message import read_message
from backends.sms.smpp.own_numbers import own_numbers
from backends.sms.smpp.receipts import is_receipt, read_receipt
from backends.sms.text.coding import Alphabet
from tests.sms.smpp.stage import OURS
from tests.sms.smpp.written import deliver_body, tlv


class DeadLink:
    """No link is needed to read."""

    name = "none"
    over = False


def read_all(body: bytes) -> Incoming:
    """Through all that reads, as far as the desk."""
    pdu = write_frame(5, 0, 1, body)
    for incoming in (read_deliver(pdu), read_data(pdu)):
        text = incoming.octets.decode("latin-1")
        if is_receipt(incoming, text, unmarked=True):
            read_receipt(incoming, text, "same")
        list(own_numbers(incoming.destination, "US"))
        for default in (Alphabet.GSM, Alphabet.ASCII, Alphabet.LATIN):
            read_message(incoming, DeadLink(), "digest", OURS, default, "US")  # type: ignore[arg-type]
    return read_deliver(pdu)


@given(st.binary(max_size=400))
def test_any_octets(body: bytes) -> None:
    read_all(body)


@given(
    st.binary(max_size=254),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=25),
    st.binary(max_size=25),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=80)), max_size=5),
    st.randoms(use_true_random=False),
)
def test_any_change_to_a_good_one(
    octets: bytes,
    esm_class: int,
    data_coding: int,
    ton: int,
    npi: int,
    source: bytes,
    destination: bytes,
    tlvs: list[tuple[int, bytes]],
    chance: random.Random,
) -> None:
    good = deliver_body(
        source, destination, octets,
        ton=ton, npi=npi, esm_class=esm_class, data_coding=data_coding, tlvs=tlvs,
    )  # fmt: skip
    read_all(good)
    changed = bytearray(good)
    for _ in range(3):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    read_all(bytes(changed))
    read_all(bytes(changed[: chance.randrange(len(changed))]))


def test_a_whole_one() -> None:
    body = deliver_body(b"15551111111", b"15550000001", b"hi", ton=1, npi=1, tlvs=[(Tlv.STATE, b"\2")])
    found = read_all(body)
    assert found == Incoming(
        PduAddress("15551111111", 1, 1), PduAddress("15550000001", 1, 1), 0, 0, b"hi", {Tlv.STATE: b"\2"}
    )


def test_a_cut_one_is_read_as_far_as_it_goes() -> None:
    body = deliver_body(b"15551111111", b"15550000001", b"hello")
    assert read_all(body[:-3]).octets == b"he"
    assert read_all(body + b"\x04").octets == b"hello"
    assert read_all(body + tlv(Tlv.STATE, b"\2")[:-1]).tlvs == {Tlv.STATE: b""}


def test_a_payload_stands_in_for_an_empty_text() -> None:
    body = deliver_body(b"1", b"2", b"", tlvs=[(Tlv.PAYLOAD, b"x" * 300)])
    assert read_all(body).octets == b"x" * 300


def test_of_a_tag_given_twice_the_first_counts() -> None:
    body = deliver_body(b"1", b"2", b"", tlvs=[(Tlv.STATE, b"\2"), (Tlv.STATE, b"\5")])
    assert read_all(body).number(Tlv.STATE) == 2


@pytest.mark.parametrize(
    ("digits", "ton", "country", "numbers"),
    [
        ("15550000001", 1, "", ["+15550000001"]),
        ("+15550000001", 0, "US", ["+15550000001"]),
        ("15550000001", 0, "US", ["+15550000001", "+15550000001"]),
        ("0015550000001", 0, "", ["+0015550000001", "+15550000001"]),
        ("5550000001", 2, "US", ["+5550000001", "+15550000001"]),
        ("(555) 000-0001", 2, "US", ["+5550000001", "+15550000001"]),
        ("030123456", 0, "DE", ["+030123456", "+4930123456"]),
        ("12345", 3, "", ["+12345", "12345"]),
        ("333", 0, "", ["333"]),
        ("MyShop", 5, "US", ["MyShop"]),
        ("", 0, "US", []),
    ],
)
def test_which_of_our_numbers_is_meant(digits: str, ton: int, country: str, numbers: list[str]) -> None:
    assert list(own_numbers(pdus.PduAddress(digits, ton), country)) == numbers
