"""What came out, checked message by message when the clock has stopped; and when each had arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from bench.ends import Catch, WrongCount
from bench.sms.work import PHONES, Town, said_in, stanza_id
from bench.work import bare, text

_MESSAGE = re.compile(rb"<message\b[^<>]*[^/<>]>.*?</message>", re.DOTALL)
_RECEIVED = "{urn:xmpp:receipts}received"


def stanzas(catch: Catch) -> Iterator[tuple[float, Element]]:
    """The messages, each with the time when it had been read as a whole. Raises WrongCount."""
    rest = b""
    for when, data in catch.reads:
        rest += data
        end = 0
        for found in _MESSAGE.finditer(rest):
            end = found.end()
            try:
                yield when, ElementTree.fromstring(found[0])
            except ElementTree.ParseError as error:
                raise WrongCount(f"no XML, {error}: {found[0].decode()}") from None
        rest = rest[end:]


def messages(catch: Catch, town: Town, texts: int, receipts: int) -> tuple[list[float], list[float]]:
    """So many texts were shown, each once, unharmed, to the right user, those of a phone in order; and of so
    many messages each was told once as received, to its sender. When each was. Raises WrongCount."""
    shown, received = Arrivals("texts", texts), Arrivals("receipts", receipts)
    for when, stanza in stanzas(catch):
        body, mark = stanza.findtext("body"), stanza.find(_RECEIVED)
        about = stanza.get("from", ""), bare(stanza.get("to", ""))
        if mark is not None:
            name = mark.get("id", "")
            number = int(name[1:]) if name[1:].isdecimal() else -1
            right = name == stanza_id(number)
            received.add(number, when, right and about == (town.puppet(number), town.user(number)), name)
        elif body is not None:
            word = body.split(" ")[1:2]
            number = int(word[0]) if word and word[0].isdecimal() else -1
            right = body == text(number)
            shown.add(number, when, right and about == (town.puppet(number), town.user(number)), body)
            shown.in_order(number)
    return shown.all(), received.all()


def submits(came: list[tuple[float, bytes]], town: Town, count: int) -> tuple[list[float], list[int]]:
    """Each of `count` messages went to its phone once, from its user's number, unharmed, those of a chat in
    order. When each did, and which the SMSC got first, second, ... Raises WrongCount."""
    taken, order = Arrivals("messages", count), []
    for when, pdu in came:
        try:
            *numbers, said = said_in(pdu)
            number = int(said.split(" ")[1])
        except (ValueError, IndexError):
            raise WrongCount(f"no message of ours: {pdu.hex()}") from None
        right = said == text(number) and numbers == [town.own(number), town.phone(number)]
        taken.add(number, when, right, said)
        taken.in_order(number)
        order.append(number)
    return taken.all(), order


class Arrivals:
    """When each of `count` messages came."""

    def __init__(self, what: str, count: int) -> None:
        self._what = what
        self._times: list[float | None] = [None] * count
        self._last: dict[int, int] = {}

    def add(self, number: int, when: float, right: bool, shown: str) -> None:
        """One has. Raises WrongCount if it should not have."""
        if not right or not 0 <= number < len(self._times):
            raise WrongCount(f"not one of the {self._what}: {shown!r}")
        if self._times[number] is not None:
            raise WrongCount(f"{self._what}: {number} came twice")
        self._times[number] = when

    def in_order(self, number: int) -> None:
        """It came after those between the same two people. Raises WrongCount."""
        pair = number % PHONES
        if self._last.get(pair, -1) >= number:
            raise WrongCount(f"{self._what}: {number} came after {self._last[pair]}")
        self._last[pair] = number

    def all(self) -> list[float]:
        """The times of all. Raises WrongCount if some have not come."""
        times = [when for when in self._times if when is not None]
        if len(times) != len(self._times):
            missing = [number for number, when in enumerate(self._times) if when is None]
            raise WrongCount(f"{self._what}: {len(missing)} did not come: {missing[:5]}")
        return times
