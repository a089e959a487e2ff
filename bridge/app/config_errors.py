"""Mistakes in the configuration, as lines to act on: where, what was expected, what is there."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

Path = tuple[str | int, ...]
"""A place in the document: keys, and indexes of lists."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_KEY = re.compile(r"(?i)secret|passw|token|credential|(?:^|_)(?:key|pass|auth)$")
_URL_PASSWORD = re.compile(r"(://[^/@:\s]*:)(\S*)(?=@)|([?&]\w*password=)([^&\s]*)", re.IGNORECASE)
_SHOWN = 60


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong. `where` is a key path as TOML writes it (empty: the file as a whole)."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


class ConfigError(Exception):
    """The configuration can't be used. `mistakes` are all that were found."""

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{file}: {mistake}" for mistake in self.mistakes))


def key_path(path: Path) -> str:
    """The path as TOML writes it: `gateway."irc.example.com".options.ports[2]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def is_secret(key: str) -> bool:
    """Whether a key of this name holds something that must not be shown. (`secret_file` holds a path.)"""
    return not key.endswith("_file") and _SECRET_KEY.search(key) is not None


def shown(value: object, secret: bool = False) -> str:
    """What stands in the document, short, and never a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        if secret:
            return "a text (not shown)"
        text = hide_password(value)
        return json.dumps(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…", ensure_ascii=False)
    if isinstance(value, int | float):
        return "a number (not shown)" if secret else str(value)
    return f"a {type(value).__name__}"


def hide_password(url: str) -> str:
    """A URL without the password in it."""
    return _URL_PASSWORD.sub(lambda match: f"{match[1] or match[3]}***", url)


def passwords_of(url: str) -> list[str]:
    """The passwords in a URL, as they are written and as they are meant."""
    found = [match[2] or match[4] for match in _URL_PASSWORD.finditer(url)]
    return [each for password in found if password for each in dict.fromkeys((password, unquote(password)))]


def unknown_key(key: str, known: Iterable[str], elsewhere: str = "") -> str:
    """What to say of a key that nothing reads. `elsewhere`: where a key of that name would be read."""
    names = list(known)
    if elsewhere:
        return f"unknown key here; {elsewhere}"
    if hint := did_you_mean(key, names):
        return f"unknown key{hint}"
    return f"unknown key; known here: {', '.join(names)}" if names else "unknown key; nothing is known here"


def did_you_mean(said: object, known: Iterable[str]) -> str:
    """The end of a sentence about what is nothing that is known; empty where nothing known is near."""
    near = difflib.get_close_matches(said.lower(), list(known), 1, 0.6) if isinstance(said, str) else []
    return f'; did you mean "{near[0]}"?' if near else ""
