"""The work: who is there, what they say, and the bytes that say it. Prepared before the clock starts."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

DOMAIN = "irc.bench.test"
SERVER = "bench.test"
NETWORK = "net"
CHANNEL = "#bench"
ROOM = f"{CHANNEL}%{NETWORK}@{DOMAIN}"

ODD = "<b> & \"quotes\" 'too' grüße"
"""In each message, so that escaping is part of the work, and checked."""


def text(number: int) -> str:
    """What message `number` of a scenario says."""
    return f"line {number} {ODD}"


def person(number: int) -> str:
    """The nick of somebody who is on IRC and no user of the gateway."""
    return f"person{number:03}"


def contact(nick: str) -> str:
    """The address of somebody on IRC, for direct messages."""
    return f"{nick}%{NETWORK}@{DOMAIN}"


def user(number: int = 0, resource: int = 0) -> str:
    """A user's full JID."""
    return f"user{number}@{SERVER}/r{resource}"


def bare(jid: str) -> str:
    """A JID without its resource."""
    return jid.partition("/")[0]


def irc_lines(target: str, numbers: Iterable[int]) -> bytes:
    """Messages of the first person to a channel or a nick."""
    start = f":{person(0)}!u@host.bench PRIVMSG {target} :"
    return "".join([f"{start}{text(number)}\r\n" for number in numbers]).encode()


def stanzas(kind: str, to: str, count: int) -> bytes:
    """Messages of the first user to a room (kind "groupchat") or a contact ("chat")."""
    odd = escape(ODD)
    start = f"<message type='{kind}' from='{user()}' to='{to}' id='m"
    return "".join(
        [f"{start}{number}'><body>line {number} {odd}</body></message>" for number in range(count)]
    ).encode()


def join_presence(jid: str, nick: str) -> bytes:
    """A resource's entry into the room, without history."""
    return (
        f"<presence from='{jid}' to='{ROOM}/{nick}'>"
        f"<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
    ).encode()
