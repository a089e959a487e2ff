"""Knows CTCP: `\\x01COMMAND text\\x01` inside PRIVMSG and NOTICE. No low-level quoting (nobody does it, and
it would let a message hold a line break). Pure."""

from __future__ import annotations

import re

DELIMITER = "\x01"
_UNSAFE = re.compile(r"[\x00\x01\r\n]")


def parse(text: str) -> tuple[str, str] | None:
    """(command in capitals, text) of a CTCP; `None` for ordinary text. The closing delimiter may be
    missing."""
    if text[:1] != DELIMITER:
        return None
    command, _, rest = text[1:].partition(DELIMITER)[0].partition(" ")
    return (command.upper(), rest) if command else None


def build(command: str, text: str = "") -> str:
    """A CTCP's text for a PRIVMSG (a question) or a NOTICE (an answer)."""
    clean = _UNSAFE.sub(" ", text)
    return f"{DELIMITER}{command} {clean}{DELIMITER}" if clean else f"{DELIMITER}{command}{DELIMITER}"
