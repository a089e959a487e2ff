"""Knows mail-parser-reply, which has the attributions of some languages more than our own rules, and guards
against its traps: it is slow on long lines, and takes much for a quote or a signature that is none."""

from __future__ import annotations

import re

LONGEST_TEXT = 64 * 1024
LONGEST_LINE = 1000
_LANGUAGES = ["en", "de", "cs", "da", "es", "fr", "it", "ja", "ko", "nl", "pl", "sv", "zh"]
_EVIDENCE = re.compile(r"\d")


def shortened(lines: list[str]) -> list[str]:
    """Lines without the quote that the library finds below the newest text. Only an attribution (a line
    with a date or the like, that ends in a colon) with nothing but its quote below is believed."""
    text = "\n".join(lines)
    if len(text) > LONGEST_TEXT or any(len(line) > LONGEST_LINE for line in lines):
        return lines
    from mailparser_reply import EmailReplyParser

    replies = EmailReplyParser(languages=list(_LANGUAGES)).read(text).replies
    if len(replies) < 2 or not replies[0].content.strip():
        return lines
    attribution = replies[1].headers.strip()
    if not attribution.endswith(":") or not _EVIDENCE.search(attribution):
        return lines
    return _above(lines, attribution.split("\n"))


def _above(lines: list[str], attribution: list[str]) -> list[str]:
    """The lines above the attribution, if no text but quotes is below it."""
    bare = [line.strip() for line in lines]
    for index in range(1, len(lines) - len(attribution) + 1):
        if bare[index : index + len(attribution)] == attribution:
            below = bare[index + len(attribution) :]
            if all(line.startswith(">") or not line for line in below):
                return lines[:index]
            return lines
    return lines
