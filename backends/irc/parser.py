"""Knows how one IRC line is taken apart and put together: tags, source, command, parameters. Pure.

https://modern.ircdocs.horse/#message-format and the message-tags specification of IRCv3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_UNESCAPE = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ESCAPE = str.maketrans({";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n"})
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_UNSAFE = re.compile(r"[\r\n\0]")


class Line(msgspec.Struct, gc=False):
    """One line from a server. `source` is without its colon, empty where there is none; `command` is in
    capitals."""

    command: str
    params: list[str]
    source: str = ""
    tags: dict[str, str] = {}

    @property
    def nick(self) -> str:
        """The source's nick, or the server's name."""
        return self.source.partition("!")[0]

    @property
    def userhost(self) -> str:
        """The source's `user@host`; empty for a server."""
        return self.source.partition("!")[2]

    def param(self, index: int) -> str:
        """A parameter, or the empty text where the server left it out."""
        return self.params[index] if -len(self.params) <= index < len(self.params) else ""


def parse_line(text: str) -> Line | None:
    """Take a line apart; `None` for one without a command. Takes any text, raises nothing."""
    tags: dict[str, str] = {}
    if text[:1] == "@":
        raw, _, text = text.partition(" ")
        tags = parse_tags(raw[1:])
    text = text.lstrip(" ")
    source = ""
    if text[:1] == ":":
        source, _, text = text[1:].partition(" ")
        text = text.lstrip(" ")
    head, colon, trailing = text.partition(" :")
    words = [word for word in head.split(" ") if word]
    if not words:
        return None
    params = words[1:]
    if colon:
        params.append(trailing)
    return Line(words[0].upper(), params, source, tags)


def parse_tags(raw: str) -> dict[str, str]:
    """`a=b;c` (without the `@`) as a dict; a tag without a value is the empty text, the last of two wins."""
    tags: dict[str, str] = {}
    for entry in raw.split(";"):
        key, _, value = entry.partition("=")
        if key:
            tags[key] = _ESCAPED.sub(_unescape, value) if "\\" in value else value
    return tags


def _unescape(match: re.Match[str]) -> str:
    return _UNESCAPE.get(match[1], match[1])


def build(
    command: str, *params: str, trailing: str | None = None, tags: Mapping[str, str] | None = None
) -> str:
    """A line for a server. `trailing` may hold blanks and be empty; the others may not.

    CR, LF and NUL in any part become blanks. Raises `ValueError` for a parameter that would be read as two,
    as none, or as the trailing one: callers check what users typed before (`names.py`).
    """
    parts: list[str] = []
    if tags:
        parts.append("@" + ";".join(f"{key}={value.translate(_ESCAPE)}" if value else key
                                    for key, value in tags.items()))  # fmt: skip
    parts.append(_middle(command))
    parts.extend(_middle(param) for param in params)
    if trailing is not None:
        parts.append(":" + one_line(trailing))
    return " ".join(parts)


def _middle(param: str) -> str:
    if not param or param[0] == ":" or " " in param or _UNSAFE.search(param):
        raise ValueError(f"not an IRC parameter: {param!r}")
    return param


def one_line(text: str) -> str:
    """The text without anything that could end an IRC line."""
    return _UNSAFE.sub(" ", text)


def split_source(source: str) -> tuple[str, str, str]:
    """`nick!user@host` as (nick, user, host); what is missing is empty."""
    head, _, host = source.partition("@")
    nick, _, user = head.partition("!")
    return nick, user, host
