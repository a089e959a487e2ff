"""Knows what a user means who types a line in the network's own words. Pure."""

from __future__ import annotations

from backends.irc.isupport import Isupport

_FOR_ROOM = frozenset({"MODE", "TOPIC", "PART", "NAMES", "WHO", "KICK"})
_TEXT_AFTER = {"TOPIC": 1, "PART": 1, "KICK": 2}
"""Parameters that stand before a text with blanks, in commands that people type without the colon."""


def raw_line(text: str, room: str | None, isupport: Isupport) -> str | None:
    """The line to send; `None` for what is not one line, or none at all.

    In a room, commands about rooms are about that one (`mode +v nick`, `topic Hello there`), unless they name
    another.
    """
    line = text.strip(" ").removeprefix("/")
    if not line or any(character in line for character in "\r\n\0"):
        return None
    command, _, rest = line.partition(" ")
    command, rest = command.upper(), rest.strip(" ")
    if room is None or command not in _FOR_ROOM:
        return f"{command} {rest}" if rest else command
    words = rest.split(" ")
    if not isupport.is_channel(words[0]) or words[0][0] in "+-":
        words = [word for word in (room, *words) if word]
    before = _TEXT_AFTER.get(command)
    if before is not None and len(words) > before and not any(word[:1] == ":" for word in words):
        words = [*words[:before], ":" + " ".join(words[before:])]
    return " ".join([command, *words])
