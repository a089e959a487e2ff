"""Knows JIDs as plain strings: taking them apart, XEP-0106 escaping, and checking and normalising them.

The hot path keeps JIDs as `str`; only `prepare` asks slixmpp's stringprep (RFC 6122), through a cache.
"""

from __future__ import annotations

import re
import stringprep
from functools import lru_cache
from urllib.parse import quote

from slixmpp import JID, InvalidJID

__all__ = [
    "BadJid", "bare", "escape_local", "join", "prepare", "resource", "split", "unescape_local", "uri",
]  # fmt: skip

_PART_LIMIT = 1023
_URI_SAFE = "@!$()*+,;="
CACHED = 16384
"""So many addresses are kept in each memory for them."""
LONGEST_KEPT = 256
"""No longer ones: a JID may have 3 KB, and so many of those would fill 100 MB. Real ones are below 100."""
_PARTS_CACHE = 4096
"""Of so many JIDs the parts are remembered: less for the time than so that all who keep one keep the same
string, as there are many pairs of a few hundred addresses."""

# XEP-0106 §4.2, lower case only; the backslash itself only where it would look like one of these.
_CODES = {" ": "20", '"': "22", "&": "26", "'": "27", "/": "2f", ":": "3a", "<": "3c", ">": "3e", "@": "40"}
_CHARS = {"\\" + code: char for char, code in _CODES.items()} | {"\\5c": "\\"}
_ESCAPES = {char: "\\" + code for char, code in _CODES.items()} | {"\\": "\\5c"}
_SEQUENCES = "20|22|26|27|2f|3a|3c|3e|40|5c"

_find_escapable = re.compile(r"[ \"&'/:<>@\\]").search
_sub_escapable = re.compile(rf"[ \"&'/:<>@]|\\(?={_SEQUENCES})").sub
# `\20` at either end is no escaped space (§4.2, note), so it stays as it is.
_sub_escaped = re.compile(rf"(?!^\\20)(?!\\20$)\\(?:{_SEQUENCES})").sub

# Symbols that stringprep leaves alone; they stand in for characters newer than Unicode 3.2.
_STAND_INS = tuple(map(chr, range(0x2600, 0x2614)))


class BadJid(ValueError):
    """Not a JID (RFC 6122); the text says what is wrong with which one."""


@lru_cache(_PARTS_CACHE)
def split(jid: str) -> tuple[str, str, str]:
    """Local part, domain and resource, each `""` where absent. Does not check them."""
    head, _, resource_part = jid.partition("/")
    local, at, domain = head.partition("@")
    return (local, domain, resource_part) if at else ("", head, resource_part)


@lru_cache(_PARTS_CACHE)
def bare(jid: str) -> str:
    """The JID without its resource."""
    return jid.partition("/")[0]


def resource(jid: str) -> str:
    """The resource, `""` where there is none."""
    return jid.partition("/")[2]


def join(local: str, domain: str, resource_part: str = "") -> str:
    """The JID made of these parts, where `local` is escaped already; the inverse of `split`."""
    head = f"{local}@{domain}" if local else domain
    return f"{head}/{resource_part}" if resource_part else head


def uri(jid: str) -> str:
    """The URI of a bare JID (RFC 5122 §2.2)."""
    return f"xmpp:{quote(jid, safe=_URI_SAFE)}"


def escape_local(address: str) -> str:
    """A foreign address as the local part of a JID (XEP-0106 §4).

    Raises BadJid for an address that is empty, or begins or ends with a space: the XEP has no form for those.
    """
    if _find_escapable(address) is None:
        if not address:
            raise BadJid("an empty address cannot be the local part of a JID")
        return address
    if address[0] == " " or address[-1] == " ":
        raise BadJid("an address that begins or ends with a space cannot be the local part of a JID")
    return _sub_escapable(lambda match: _ESCAPES[match[0]], address)


def unescape_local(local: str) -> str:
    """The foreign address that a local part stands for (XEP-0106 §4.3); unknown sequences stay."""
    if "\\" not in local:
        return local
    return _sub_escaped(lambda match: _CHARS[match[0]], local)


def prepare(jid: str) -> str:
    """The JID normalised for comparing: local part and domain folded, all parts checked.

    Letters and emoji newer than Unicode 3.2 are allowed in local part and resource: servers let
    them pass (RFC 3454 §7), and a phone's name or an IRC nick may well have one. Raises BadJid.
    """
    return _kept(jid) if len(jid) <= LONGEST_KEPT else _prepared(jid)


def _prepared(jid: str) -> str:
    if not jid:
        raise BadJid("an empty JID")
    try:
        made = str(JID(jid))
        return jid if made == jid else made  # as it is the cache's key, too
    except UnicodeEncodeError as error:
        raise BadJid(f"{jid[:200]!r}: a lone surrogate") from error
    except InvalidJID as error:
        newer = [char for char in jid if stringprep.in_table_a1(char)]
        if not newer:
            raise BadJid(f"{jid[:200]!r}: {error}") from error
    return _prepare_with_newer(jid, newer)


_kept = lru_cache(CACHED)(_prepared)


def _prepare_with_newer(jid: str, newer: list[str]) -> str:
    local, domain, resource_part = split(jid)
    if any(stringprep.in_table_a1(char) for char in domain):
        raise BadJid(f"{jid[:200]!r}: the domain has characters that no domain can have")
    stand_in = next((char for char in _STAND_INS if char not in jid), None)
    if stand_in is None:
        raise BadJid(f"{jid[:200]!r}: too many kinds of symbols")
    table = {ord(char): stand_in for char in newer}
    try:
        prepared = str(JID(join(local.translate(table), domain, resource_part.translate(table))))
    except InvalidJID as error:
        raise BadJid(f"{jid[:200]!r}: {error}") from error
    originals = iter(newer)
    prepared = "".join(next(originals) if char == stand_in else char for char in prepared)
    if any(len(part.encode()) > _PART_LIMIT for part in split(prepared)):
        raise BadJid(f"{jid[:200]!r}: a part is longer than {_PART_LIMIT} bytes")
    return prepared
