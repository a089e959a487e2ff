"""Knows the lines that stand before a quote and say who wrote it, and when. Pure; every pattern is applied to
bounded text only, and none can go back and forth over it."""

from __future__ import annotations

import re

from backends.email.reading import marks

MOST_LINES = 4
LONGEST = 500
"""Characters of an attribution."""

_WROTE = re.compile(
    r"(?:\b(?:wrote|writes|schrieb|schreibt|geschrieben|écrit|écrivait|écrivit|escribió|escribio"
    r"|escreveu|scrisse"
    r"|scritto|schreef|skrev|skrifaði|napisał(?:a|\(a\))?|napsal(?:a|\(a\))?|пишет|написал(?:а|\(а\))?"
    r"|писал(?:а|\(а\))?|написав(?:ла)?|kirjoitti|yazdı|írta)"
    r"|のメール|さんは書きました|(?:が|は)書きました|写道|寫道|작성)"
    r"[^:：\n]{0,120}[:：]$",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"^(?:on|at|am|le|el|il|em|a|op|den|dnia|в|от|на|w dniu|dne|pe|\d{1,4}|(?:mon|tue|wed|thu|fri|sat"
    r"|sun|lun|mar"
    r"|mer|mié|jue|jeu|vie|ven|sáb|sam|dom|dim|пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница"
    r"|суббота|воскресенье)\b|20\d\d年)",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{1,2}[:.hч時시]\s?\d{2}")
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|20\d\d年")
_ADDRESS = re.compile(r"[^\s<>@]{1,100}@[^\s<>@]{1,100}")


def length_at(lines: list[str], index: int, *, strict: bool = False) -> int:
    """How many lines the attribution that begins there has; 0 if none does.

    `strict` wants a date and either an address or a time in it, for where no quote marks follow."""
    if lines[index].startswith(marks.ATTRIBUTION):
        return 1
    if len(lines[index]) > LONGEST or not lines[index].strip():
        return 0
    text = ""
    for count, line in enumerate(lines[index : index + MOST_LINES], 1):
        if not line.strip() or len(text) + len(line) > LONGEST:
            return 0
        text = f"{text} {line.strip()}".strip()
        if text.endswith((":", "：")):
            return count if _is_attribution(text.lstrip("*_ "), strict) else 0
    return 0


def _is_attribution(text: str, strict: bool) -> bool:
    """Whether one line, ending in a colon, says who wrote something."""
    when = bool(_DATE.search(text)) or bool(_TIME.search(text))
    address = bool(_ADDRESS.search(text))
    if _WROTE.search(text):
        if strict:
            return bool(_DATE.search(text)) and (address or bool(_TIME.search(text)))
        return bool(_BEGINS.match(text)) or when or address
    # any language: a date, a time and an address, and a colon at the end
    return address and bool(_DATE.search(text)) and bool(_TIME.search(text))
