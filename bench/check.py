"""What came out, checked message by message against what went in, when the clock has stopped."""

from __future__ import annotations

import bisect
import itertools
import re
from xml.etree import ElementTree

from bench.ends import Catch, WrongCount, attributes
from bench.work import ROOM, person, text

_MESSAGE = re.compile(rb"<message\b[^<>]*[^/<>]>.*?</message>", re.DOTALL)
_PRESENCE = re.compile(rb"<presence\b[^<>]*[^/<>]>.*?</presence>", re.DOTALL)


def messages(data: bytes, users: list[str], sender: str, count: int) -> None:
    """Each of `users` got each of `count` messages once, in order, from `sender`, unharmed, and nothing
    else that has a body. Raises WrongCount."""
    expected = dict.fromkeys(users, 0)
    for stanza in _MESSAGE.findall(data):
        try:
            message = ElementTree.fromstring(stanza)
        except ElementTree.ParseError as error:
            raise WrongCount(f"no XML, {error}: {stanza.decode()}") from None
        body, to = message.findtext("body"), message.get("to", "")
        if body is None:
            continue
        number = expected.get(to, count)
        if number == count or message.get("from") != sender or body != text(number):
            raise WrongCount(f"expected line {number} of {count} from {sender}, got {stanza.decode()}")
        expected[to] = number + 1
    short = {jid: number for jid, number in expected.items() if number != count}
    if short:
        raise WrongCount(f"not all {count} lines came: {short}")


def lines(data: bytes, target: str, count: int) -> None:
    """`target` was told each of `count` messages on IRC, once, in order, unharmed. Raises WrongCount."""
    came = data.decode().split("\r\n")[:-1]
    for number, line in enumerate(came):
        if number >= count or line != f"PRIVMSG {target} :{text(number)}":
            raise WrongCount(f"expected line {number} of {count}, got {line!r}")
    if len(came) != count:
        raise WrongCount(f"expected {count} lines, got {len(came)}")


def presences(data: bytes, nicks: dict[str, str], others: int) -> None:
    """Each user, by full JID with the nick, was shown everybody in the room once, and then themselves, with
    status 110. Raises WrongCount."""
    room = [f"{ROOM}/{person(number)}" for number in range(others)]
    shown: dict[str, list[str]] = {jid: [] for jid in nicks}
    for stanza in _PRESENCE.findall(data):
        about = attributes(stanza)
        if about["to"] in shown:
            is_own = b"code='110'" in stanza or b'code="110"' in stanza
            shown[about["to"]].append(about["from"] + (" (self)" if is_own else ""))
    for jid, nick in nicks.items():
        *before, last = shown[jid] or [""]
        if sorted(before) != room or last != f"{ROOM}/{nick} (self)":
            raise WrongCount(f"{jid} was shown {len(shown[jid])} presences: {shown[jid][-3:]} at the end")


def arrivals(catch: Catch, mark: bytes) -> list[float]:
    """When each `mark` had been read as a whole."""
    ends = list(itertools.accumulate(len(data) for _, data in catch.reads))
    return [
        catch.reads[bisect.bisect_left(ends, match.end())][0]
        for match in re.finditer(re.escape(mark), catch.data())
    ]
