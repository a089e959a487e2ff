"""Knows subjects: of an answer, in a chat's first line, and for a mail that has none. Pure."""

from __future__ import annotations

import re

LONGEST = 200
"""Characters of a subject that the bridge writes."""

_PREFIX = re.compile(
    r"\s*(?:re|r|ref|aw|antw|sv|vs|vá|odp|res|rif|ynt|atb|antwort|отв|ha|回复|回覆|答复|답장"
    r"|fwd?|wg|tr|rv|enc|i|vb|doorst|pd|转发)\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\*\d{1,3})?\s?[:：]\s*",
    re.IGNORECASE,
)
_LINE = re.compile(
    r"\s*(?:subject|betreff|objet|asunto|oggetto|тема|件名)\s?[:：][ \t]*(\S[^\n]*)(?:\n|$)", re.IGNORECASE
)
_MARKS = re.compile(r"^(?:[>\s]|```\S*)+|(?<!\w)[*_~`]+(?=\S)|(?<=\S)[*_~`]+(?!\w)")
_MOST_PREFIXES = 10


def bare(subject: str) -> str:
    """A subject without `Re:`, `AW:`, `Fwd:` and their kin, however many: for comparing, too."""
    subject = " ".join(subject.split())
    for _ in range(_MOST_PREFIXES):
        match = _PREFIX.match(subject)
        if match is None or match.end() == len(subject):
            break
        subject = subject[match.end() :]
    return subject


def of_reply(subject: str) -> str:
    """The subject of an answer: `Re:` once. Empty stays empty."""
    inner = bare(subject)
    return f"Re: {inner}"[:LONGEST] if inner else ""


def split_off(text: str) -> tuple[str, str]:
    """(subject, rest) of a chat message whose first line is `Subject: ...`; the subject is empty if there
    is no such line."""
    match = _LINE.match(text)
    if match is None:
        return "", text
    return " ".join(match[1].split())[:LONGEST], text[match.end() :].lstrip("\n")


def of_text(text: str, most: int = 60) -> str:
    """A subject for a mail that has none: the first words of its first line that is not a quote."""
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith(">")]
    words = _MARKS.sub("", (lines or [text])[0][:500]).split()
    subject = " ".join(words)
    if len(subject) <= most:
        return subject
    cut = subject[: most + 1].rpartition(" ")[0] or subject[:most]
    return f"{cut.rstrip(' ,;:.-')} …"
