"""A text as it came by a link: who it is from, what it says, and which part of what it is."""

from __future__ import annotations

import msgspec

from backends.sms import addresses
from backends.sms.smpp.incoming import Incoming, Tlv
from backends.sms.smpp.link import Link
from backends.sms.text import coding, udh
from backends.sms.text.coding import Alphabet
from backends.sms.text.parts import Part, Piece
from backends.sms.text.udh import Concatenation
from bridge.api import ContactId, MessageId


class Message(msgspec.Struct):
    """`number` is ours. `part`: it is one of several, else `text` is the whole. `digest`: see `doubles.py`;
    `id` is given to it once it is known to be new."""

    link: Link
    digest: str
    number: str
    contact: ContactId
    name: str
    text: str = ""
    part: Part | None = None
    id: MessageId | None = None


def read_message(
    incoming: Incoming, link: Link, digest: str, number: str, default: Alphabet, country: str
) -> Message:
    """What came for a number of ours. `default` is the alphabet of the SMSC, `country` that of numbers
    without one. Never raises."""
    contact, name = addresses.from_sender(incoming.source.digits, incoming.source.ton, country)
    message = Message(link, digest, number, contact, name)
    header, octets = udh.read(incoming.octets) if incoming.has_header else (udh.NONE, incoming.octets)
    alphabet = coding.alphabet_of(incoming.data_coding, default)
    place = header.concatenation or _beside(incoming)
    if place is None or place.total < 2:
        message.text = coding.shown(octets, alphabet, header.locking, header.single)
        return message
    piece = Piece(octets, header.locking, header.single)
    message.part = Part(number, contact, place.reference, place.total, place.place, alphabet, piece, name)
    return message


def _beside(incoming: Incoming) -> Concatenation | None:
    """What the TLVs say of parts (SMPP 3.4 §5.3.2.22 to §5.3.2.24)."""
    reference = incoming.number(Tlv.REFERENCE)
    total, place = incoming.number(Tlv.TOTAL), incoming.number(Tlv.PLACE)
    if reference is None or total is None or place is None:
        return None
    return Concatenation(reference & 0xFFFF, total & 0xFF, place & 0xFF)
