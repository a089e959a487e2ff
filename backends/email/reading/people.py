"""Knows lists of addresses (RFC 5322 §3.4), right ones and wrong ones. Pure."""

from __future__ import annotations

import re

from backends.email.reading import charsets
from backends.email.reading.words import decode_words, one_line
from backends.email.values import Person

_ADDRESS = re.compile(r'(?:"[^"\s]{1,64}"|[^\s<>@",;:()\[\]\\]{1,200})@[^\s<>@",;()\\]{1,255}')
LONGEST_NAME = 200


def parse(raw: bytes, most: int) -> tuple[tuple[Person, ...], int]:
    """The people in a field's value, at most `most`, and how many more there are. Who has no address that
    could be written to is left out."""
    people: list[Person] = []
    left_out, waiting = 0, ""
    for entry in _entries(charsets.decode(raw)):
        person = _person(waiting + entry)
        if person is None:
            # `Doe, Jane <jane@example.org>`, without the quotes it should have
            waiting = f"{waiting}{entry.strip()}, " if entry.strip() and len(waiting) < LONGEST_NAME else ""
            continue
        waiting = ""
        if len(people) < most:
            people.append(person)
        else:
            left_out += 1
    return tuple(people), left_out


def _entries(text: str) -> list[str]:
    """The pieces between commas; comments and the names of groups are gone."""
    entries: list[str] = []
    letters: list[str] = []
    quoted = escaped = angle = False
    comment = 0
    for letter in text:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"' and not comment:
            quoted = not quoted
        elif not quoted and letter in "()":
            comment = max(0, comment + (1 if letter == "(" else -1))
            continue
        elif not quoted and not comment and letter in "<>":
            angle = letter == "<"
        elif not quoted and not comment and not angle and letter in ",;:":
            if letter != ":":
                entries.append("".join(letters))
            letters = []
            continue
        if not comment:
            letters.append(letter)
    return [*entries, "".join(letters)]


def _person(entry: str) -> Person | None:
    name, angle, rest = entry.rpartition("<")
    if angle:
        match = _ADDRESS.fullmatch(rest.partition(">")[0].strip().removeprefix("mailto:"))
    else:
        match = _ADDRESS.fullmatch(entry.strip().strip("'"))
        name = ""
    return Person(match[0].lower(), _clean_name(name, match[0])) if match is not None else None


def _clean_name(name: str, address: str) -> str:
    name = re.sub(r"\\(.)", r"\1", name.strip().strip('"'))
    name = one_line(decode_words(name)).strip("\"'")[:LONGEST_NAME].strip()
    return "" if name.lower() == address.lower() else name
