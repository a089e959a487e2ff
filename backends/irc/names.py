"""Knows which names may go into an IRC line: nicks, channels, keys, host names. Pure."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)
_BAD_IN_NICK = re.compile(r"[\0-\x20\x7f!@,:*?#&+%~/$.]")
_BAD_IN_NAME = re.compile(r"[\0-\x20\x7f,\x07]")
_NOT_CLASSIC = re.compile(r"[^A-Za-z0-9\[\]\\`_^{|}-]")

LONGEST_NICK = 64
LONGEST_CHANNEL = 200


def is_target(name: str) -> bool:
    """Whether a name can be one parameter and one recipient: no blank, comma or control character in it."""
    return 0 < len(name) <= LONGEST_CHANNEL and name[0] != ":" and not _BAD_IN_NAME.search(name)


def is_nick(name: str) -> bool:
    """Whether a name may be tried as a nick; the server has the last word on its letters."""
    return 0 < len(name) <= LONGEST_NICK and not _BAD_IN_NICK.search(name) and name[0] not in "-0123456789"


def is_made_up(nick: str) -> bool:
    """Whether a server made this nick (its id for a user, as after a collision): people's begin otherwise."""
    return nick[:1].isdecimal()


def classic_nick(name: str) -> str:
    """The nearest nick that every server takes (RFC 2812 §2.3.1)."""
    nick = _NOT_CLASSIC.sub("_", name)[:30] or "user"
    return f"_{nick}"[:30] if nick[0] in "-0123456789" else nick


def tidy_nick(name: str) -> str:
    """The nick as wished, where it could be one at all; else the nearest that every server takes."""
    return name if is_nick(name) else classic_nick(name)


def user_name(name: str) -> str:
    """What may stand in USER: one short word."""
    return re.sub(r"[^A-Za-z0-9_.\[\]{}|`^-]", "_", name)[:20] or "user"


def is_hostname(name: str) -> bool:
    """Whether this can be a server's address: a DNS name (one label will do) or an IP address."""
    if not name or len(name) > 253:
        return False
    labels = name.removesuffix(".").split(".")
    if all(_LABEL.fullmatch(label) for label in labels):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
