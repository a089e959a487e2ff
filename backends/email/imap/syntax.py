"""Knows the grammar inside responses (RFC 9051 §9): values, status lines, and how arguments are quoted. Pure:
bytes in, values out; what cannot be read is a `ProtocolError`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Union

import msgspec

from backends.email.imap import utf7
from backends.email.imap.reading import Response
from bridge.api import ProtocolError

Value = Union[bytes, None, list["Value"]]  # noqa: UP007 (`|` does not take a name that is yet to come)
"""An atom, a string or a literal; NIL; a list."""

_DEEPEST = 30
_MOST_VALUES = 20_000
_TOKEN = re.compile(
    rb"""[ \t]* (?: (?P<open>\() | (?P<close>\)) | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | (?P<atom>(?:[^\s()\["{}]|\[[^\]]*\])+) )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_TAGGED = re.compile(rb"(\S+) +(OK|NO|BAD)(?: +|$)(?:\[([^\]]*)\] *)?(.*)", re.IGNORECASE | re.DOTALL)
_DATE_TIME = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_SAFE_CHARACTERS = re.compile(r"[\x20-\x7e]*")


class Status(msgspec.Struct, frozen=True):
    """How a command ended. `kind` is OK, NO or BAD; `code` is the response code with its arguments, upper
    case (RFC 5530; empty: none), `text` what the server says to people."""

    kind: str
    code: str
    text: str


def status(line: bytes) -> tuple[bytes, Status] | None:
    """The tag (`*` for an untagged one) and what a status line says; None: it is no status line."""
    found = _TAGGED.fullmatch(line)
    if found is None:
        return None
    tag, kind, code, text = found.groups()
    return tag, Status(words(kind).upper(), words(code or b"").upper(), words(text)[:500])


def words(text: bytes) -> str:
    """A server's text, for people: one line, whatever the bytes are."""
    shown = text.decode("utf-8", "replace")
    if not shown.isprintable():
        shown = "".join(each if each.isprintable() else " " for each in shown)
    return " ".join(shown.split())


def values(response: Response) -> list[Value]:
    """What a response holds, after the `*`. Raises `ProtocolError` where it is not balanced."""
    root: list[Value] = []
    stack = [root]
    for index, part in enumerate(response):
        if index % 2:
            stack[-1].append(part)
        else:
            _read_line(part[1:] if index == 0 and part.startswith(b"*") else part, stack)
    if len(stack) != 1:
        raise ProtocolError("The mail server sent a list that does not end")
    return root


def _read_line(line: bytes, stack: list[list[Value]]) -> None:
    position, end, room = 0, len(line.rstrip()), _MOST_VALUES
    while position < end:
        room -= 1
        if room < 0:
            raise ProtocolError("The mail server sent a list that is too long")
        token = _TOKEN.match(line, position)
        if token is None:
            raise ProtocolError("The mail server sent something that is not IMAP")
        position = token.end()
        if token["open"]:
            _open(stack)
        elif token["close"]:
            if len(stack) == 1:
                raise ProtocolError("The mail server ended a list that it had not begun")
            stack.pop()
        elif token["atom"] is not None:
            stack[-1].append(None if token["atom"].upper() == b"NIL" else token["atom"])
        else:
            stack[-1].append(_ESCAPED.sub(rb"\1", token["quoted"]))


def _open(stack: list[list[Value]]) -> None:
    if len(stack) > _DEEPEST:
        raise ProtocolError("The mail server sent lists in lists without end")
    inner: list[Value] = []
    stack[-1].append(inner)
    stack.append(inner)


def pairs(items: Sequence[Value]) -> Mapping[str, Value]:
    """Name -> value of a list like FETCH's, names in upper case without `<offset>`."""
    found: dict[str, Value] = {}
    for name, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(name, bytes):
            found[words(name).upper().partition("<")[0]] = value
    return found


def number(value: Value) -> int | None:
    """A number, if it is one."""
    return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) < 20 else None


def numbers(items: Sequence[Value]) -> list[int]:
    """Those of the values that are numbers."""
    return [found for found in map(number, items) if found is not None]


def searched(response: Response) -> list[int] | None:
    """The numbers in an answer to SEARCH, which may be many; None: it is another response."""
    found = response[0].split()
    if len(response) > 1 or [word.upper() for word in found[:2]] != [b"*", b"SEARCH"]:
        return None
    return [int(word) for word in found[2:] if word.isdigit() and len(word) < 20]


def moment(value: Value) -> datetime | None:
    """An INTERNALDATE (`17-Jul-1996 02:44:25 -0700`, RFC 9051 §9 date-time), if it is one."""
    found = _DATE_TIME.fullmatch(value) if isinstance(value, bytes) else None
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, off_hours, off_minutes = found.groups()
    offset = timedelta(hours=int(off_hours), minutes=int(off_minutes)) * (-1 if sign == b"-" else 1)
    try:
        numbered = MONTHS.index(month.decode().capitalize()) + 1
        return datetime(
            int(year), numbered, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset)
        )
    except ValueError:
        return None


def quoted(text: str) -> str | None:
    """An argument as a quoted string; None: it must be a literal (it has other characters)."""
    if not _SAFE_CHARACTERS.fullmatch(text):
        return None
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mailbox(name: str) -> str:
    """A mailbox name as an argument."""
    written = quoted(utf7.encode(name))
    assert written is not None  # modified UTF-7 is printable ASCII
    return written


def sequence(uids: Sequence[int]) -> str:
    """UIDs as a set, shortened where they follow each other: `3:7,9`. They must be in order."""
    parts: list[str] = []
    start = 0
    for index, uid in enumerate(uids):
        if index + 1 == len(uids) or uids[index + 1] != uid + 1:
            first = uids[start]
            parts.append(str(uid) if first == uid else f"{first}:{uid}")
            start = index + 1
    return ",".join(parts)
