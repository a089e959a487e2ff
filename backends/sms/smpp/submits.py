"""Knows how a text is written as submit_sm (SMPP 3.4 §4.4.1): one for each segment, or one for all of
them."""

from __future__ import annotations

import random
import struct
from collections import OrderedDict
from datetime import timedelta

import msgspec
from aiosmpplib import SubmitSm

from backends.sms import addresses
from backends.sms.addresses import Kind
from backends.sms.smpp.incoming import PduAddress, Tlv
from backends.sms.smpp.options import SmppOptions
from backends.sms.text import gsm, segments
from backends.sms.text.coding import Alphabet
from backends.sms.text.segments import Segment, Split, Way
from backends.sms.values import Outgoing
from bridge.api import ContactId

MOST_REFERENCES = 10_000

_CODECS = {"ascii": "ascii", "latin1": "latin-1"}
_UDHI = 0x40
_DEFAULT, _UCS2 = 0x00, 0x08
_E164, _SHORT, _NAME = (1, 1), (3, 0), (5, 0)
"""Type of number and numbering plan (§5.2.5, §5.2.6): international and E.164; network specific and
unknown; alphanumeric and unknown."""

_FIXED = struct.Struct("!BBB")


class Submission(msgspec.Struct, frozen=True):
    """A text that is ready: the body of each submit_sm, and the text that it carries."""

    bodies: tuple[bytes, ...]
    texts: tuple[str, ...]


class References:
    """The reference numbers of texts in parts. Those to one number count up from a random one, so that none
    comes again soon, also after a restart."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()

    def next(self, number: str, contact: str) -> int:
        """For the next text from `number` to `contact`."""
        key = number, contact
        reference = (self._last.pop(key, random.randrange(0x10000)) + 1) & 0xFFFF
        self._last[key] = reference
        if len(self._last) > MOST_REFERENCES:
            self._last.popitem(last=False)
        return reference


class Writer:
    """Writes the texts of one route."""

    def __init__(self, options: SmppOptions) -> None:
        self._options = options
        self._way = Way(options.concatenation)
        self._codec = _CODECS.get(options.alphabet)
        self._references = References()
        validity = timedelta(hours=options.validity_hours) if options.validity_hours else None
        self._validity: bytes = SubmitSm.datetime_to_smpp_time(validity).encode()

    def count(self, text: str) -> int:
        """In how many texts it goes out. Raises NotPossible."""
        return segments.count(text, self._way, ucs2=self._needs_ucs2(text))

    def write(self, outgoing: Outgoing) -> Submission:
        """A text, ready to go out. Raises NotPossible."""
        text = outgoing.text
        reference = self._references.next(outgoing.number, outgoing.contact)
        split = segments.split(text, self._way, reference, ucs2=self._needs_ucs2(text))
        head = self._head(outgoing)
        bodies = [
            head + self._rest(split, segment, reference, place)
            for place, segment in enumerate(split.segments, 1)
        ]
        return Submission(tuple(bodies), tuple(segment.text for segment in split.segments))

    def _needs_ucs2(self, text: str) -> bool:
        """Whether the SMSC's own alphabet, where it is not GSM's, lacks a character that GSM's has."""
        if self._codec is None or gsm.encode(text) is None:
            return False
        try:
            text.encode(self._codec)
        except UnicodeEncodeError:
            return True
        return False

    def _head(self, outgoing: Outgoing) -> bytes:
        ton, npi = _kind_of(outgoing.number)
        if self._options.source_ton >= 0:
            ton = self._options.source_ton
        if self._options.source_npi >= 0:
            npi = self._options.source_npi
        source = PduAddress(outgoing.number.lstrip("+"), ton, npi)
        return b"\0" + _address(source) + _address(_destination(outgoing.contact))

    def _rest(self, split: Split, segment: Segment, reference: int, place: int) -> bytes:
        """From esm_class to the end."""
        octets, data_coding = segment.octets, _UCS2
        if split.alphabet is Alphabet.GSM:
            data_coding = _DEFAULT
            octets = segment.text.encode(self._codec) if self._codec else octets
        short, tlvs = segment.udh + octets, b""
        if self._way is Way.PAYLOAD and split.count > 1:
            short, tlvs = b"", _tlv(Tlv.PAYLOAD, octets)
        elif self._way is Way.SAR and split.count > 1:
            tlvs = (
                _tlv(Tlv.REFERENCE, reference.to_bytes(2, "big"))
                + _tlv(Tlv.TOTAL, bytes([split.count]))
                + _tlv(Tlv.PLACE, bytes([place]))
            )
        esm_class = _UDHI if segment.udh else 0
        return (
            _FIXED.pack(esm_class, 0, 0)  # protocol_id, priority_flag
            + b"\0"  # schedule_delivery_time
            + self._validity
            + b"\0"
            + bytes([int(self._options.reports), 0])  # registered_delivery, replace_if_present_flag
            + bytes([data_coding, 0, len(short)])  # sm_default_msg_id, sm_length
            + short
            + tlvs
        )


def _kind_of(number: str) -> tuple[int, int]:
    if number.startswith("+"):
        return _E164
    return _SHORT if number.isdecimal() else _NAME


def _destination(contact: ContactId) -> PduAddress:
    digits = addresses.tel(contact)
    international = addresses.kind(contact) is Kind.NUMBER
    return PduAddress(digits.lstrip("+"), *(_E164 if international else _SHORT))


def _address(address: PduAddress) -> bytes:
    return bytes([address.ton, address.npi]) + address.digits.encode("ascii") + b"\0"


def _tlv(tag: int, value: bytes) -> bytes:
    return struct.pack("!HH", tag, len(value)) + value
