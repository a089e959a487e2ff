"""Knows how a deliver_sm or data_sm is read (SMPP 3.4 §4.6.1, §4.7.1): from any octets, as far as they go.

The library's own parser gives up at what many SMSCs send (an empty text, an unknown data_coding, a TLV of an
unusual length), and the text would be lost."""

from __future__ import annotations

import msgspec

from backends.sms.smpp.framing import HEADER

_NUL = b"\0"
_UDHI = 0x40
_KIND = 0x3C


class Tlv:
    """Tags of optional parameters (§5.3.2)."""

    RECEIPTED_ID = 0x001E
    REFERENCE = 0x020C
    TOTAL = 0x020E
    PLACE = 0x020F
    NETWORK_ERROR = 0x0423
    PAYLOAD = 0x0424
    STATE = 0x0427


class PduAddress(msgspec.Struct, frozen=True):
    """An address as the SMSC writes it; `ton` and `npi` may be any octet."""

    digits: str
    ton: int = 0
    npi: int = 0


class Incoming(msgspec.Struct, frozen=True):
    """What came. `octets` is the text with its header, if `has_header`; of `tlvs` each tag is there once.
    `kind` is the type in esm_class (§5.2.12): 0 for texts."""

    source: PduAddress
    destination: PduAddress
    esm_class: int
    data_coding: int
    octets: bytes
    tlvs: dict[int, bytes]

    @property
    def kind(self) -> int:
        return (self.esm_class & _KIND) >> 2

    @property
    def has_header(self) -> bool:
        return bool(self.esm_class & _UDHI)

    def number(self, tag: int) -> int | None:
        """The value of a TLV that is a number; None: it is not there."""
        value = self.tlvs.get(tag)
        return int.from_bytes(value[-4:], "big") if value else None


class _Reader:
    """Takes one field after the other; what is no longer there is empty, or 0."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = HEADER

    def string(self, most: int) -> bytes:
        """A C-octet string (§3.1). One that nothing ends is as long as it may be."""
        end = self._octets.find(_NUL, self._at, self._at + most)
        if end < 0:
            end = min(self._at + most, len(self._octets))
        value = self._octets[self._at : end]
        self._at = end + 1
        return value

    def octet(self) -> int:
        self._at += 1
        return self._octets[self._at - 1] if self._at <= len(self._octets) else 0

    def take(self, count: int) -> bytes:
        value = self._octets[self._at : self._at + count]
        self._at += count
        return value

    def address(self, most: int) -> PduAddress:
        ton, npi = self.octet(), self.octet()
        return PduAddress(self.string(most).decode("latin-1").strip(), ton, npi)

    def tlvs(self) -> dict[int, bytes]:
        """The optional parameters; one that goes on beyond the end is taken as far as it goes."""
        found: dict[int, bytes] = {}
        while self._at + 4 <= len(self._octets):
            tag = int.from_bytes(self.take(2), "big")
            value = self.take(int.from_bytes(self.take(2), "big"))
            found.setdefault(tag, value)
        return found


def read_deliver(pdu: bytes) -> Incoming:
    """A deliver_sm; never raises."""
    reader = _Reader(pdu)
    reader.string(6)  # service_type
    source, destination = reader.address(21), reader.address(21)
    esm_class = reader.octet()
    reader.take(2)  # protocol_id, priority_flag
    reader.string(17)  # schedule_delivery_time
    reader.string(17)  # validity_period
    reader.take(2)  # registered_delivery, replace_if_present_flag
    data_coding = reader.octet()
    reader.octet()  # sm_default_msg_id
    octets = reader.take(reader.octet())
    tlvs = reader.tlvs()
    octets = octets or tlvs.get(Tlv.PAYLOAD, b"")
    return Incoming(source, destination, esm_class, data_coding, octets, tlvs)


def read_data(pdu: bytes) -> Incoming:
    """A data_sm; never raises."""
    reader = _Reader(pdu)
    reader.string(6)  # service_type
    source, destination = reader.address(65), reader.address(65)
    esm_class = reader.octet()
    reader.octet()  # registered_delivery
    data_coding = reader.octet()
    tlvs = reader.tlvs()
    return Incoming(source, destination, esm_class, data_coding, tlvs.get(Tlv.PAYLOAD, b""), tlvs)
