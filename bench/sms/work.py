"""The work with texts: who has which number, who writes to whom, and the bytes that say it. Prepared before
the clock starts."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.work import DOMAIN, ODD, SERVER, text

PHONES = 200

_GSM = str.maketrans({"ü": "\x7e", "ß": "\x1e"})
_READ = str.maketrans({"\x7e": "ü", "\x1e": "ß"})
"""What of the texts is another octet in GSM 03.38 than in ASCII."""

_RECEIPT = 0x04
_DATES = "submit date:2611210000 done date:2611210001"


@dataclass(frozen=True)
class Town:
    """Phones, and `users` with a number each. Message `number` of either direction is between a phone and
    the user whom this phone texts with; neither knows anybody else."""

    users: int

    def user(self, number: int) -> str:
        """Whose message it is, by bare JID."""
        return f"user{self._user(number)}@{SERVER}"

    def own(self, number: int) -> str:
        """The number of that user."""
        return f"+1555{1_000_000 + self._user(number)}"

    def phone(self, number: int) -> str:
        """The number of the phone."""
        return f"+1555{2_000_000 + number % PHONES}"

    def puppet(self, number: int) -> str:
        """The JID that stands for that phone."""
        return f"{self.phone(number)}@{DOMAIN}"

    def deliver(self, number: int) -> bytes:
        """A text from the phone: the body of its deliver_sm (SMPP 3.4 §4.6.1)."""
        head = _address(self.phone(number)) + _address(self.own(number))
        return b"\0" + head + _fixed(0) + _short(to_gsm(text(number)))

    def stanza(self, number: int) -> bytes:
        """A message of the user to the phone."""
        return (
            f"<message type='chat' from='{self.user(number)}/r0' to='{self.puppet(number)}' "
            f"id='{stanza_id(number)}'><body>line {number} {escape(ODD)}</body>"
            f"<request xmlns='urn:xmpp:receipts'/></message>"
        ).encode()

    def _user(self, number: int) -> int:
        return number % PHONES % self.users


def stanza_id(number: int) -> str:
    """The id of a user's message."""
    return f"m{number}"


def receipt(addresses: tuple[bytes, bytes], name: str) -> bytes:
    """The body of the deliver_sm which says that a text has arrived (appendix B). `addresses`: who sent it,
    and to whom, as in its submit_sm; `name`: the SMSC's for it."""
    source, destination = addresses
    said = f"id:{name} sub:001 dlvrd:001 {_DATES} stat:DELIVRD err:000 text:"
    tlvs = _tlv(0x001E, name.encode() + b"\0") + _tlv(0x0427, b"\2")
    return b"\0" + destination + source + _fixed(_RECEIPT) + _short(said.encode()) + tlvs


def addresses_of(submit: bytes) -> tuple[bytes, bytes]:
    """The source and the destination address of a submit_sm as they stand in it."""
    at = submit.index(0, 16) + 1
    middle = submit.index(0, at + 2) + 1
    return submit[at:middle], submit[middle : submit.index(0, middle + 2) + 1]


def said_in(submit: bytes) -> tuple[str, str, str]:
    """The numbers from and to, and the text, of a submit_sm that asks for a receipt (§4.4.1). Raises
    ValueError for one that is something else."""
    source, destination = addresses_of(submit)
    rest = submit[submit.index(0, 16) + 1 + len(source) + len(destination) :]
    validity = rest.index(0, 4)
    registered, coding, length = rest[validity + 1], rest[validity + 3], rest[validity + 5]
    octets = rest[validity + 6 :]
    if (rest[0], registered, coding, length) != (0, 1, 0, len(octets)):
        raise ValueError("an unexpected submit_sm")
    return f"+{source[2:-1].decode()}", f"+{destination[2:-1].decode()}", from_gsm(octets)


def to_gsm(said: str) -> bytes:
    """GSM 03.38, as far as the texts of the bench need it."""
    return said.translate(_GSM).encode("ascii")


def from_gsm(octets: bytes) -> str:
    """The text of such octets."""
    return octets.decode("ascii").translate(_READ)


def _address(number: str) -> bytes:
    return b"\1\1" + number.lstrip("+").encode() + b"\0"


def _fixed(esm_class: int) -> bytes:
    """From esm_class to sm_default_msg_id."""
    return bytes([esm_class]) + bytes(8)


def _short(octets: bytes) -> bytes:
    return bytes([len(octets)]) + octets


def _tlv(tag: int, value: bytes) -> bytes:
    return tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
