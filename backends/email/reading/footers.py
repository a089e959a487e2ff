"""Knows what stands at the end of a mail and is not said by anyone: signatures, the lines of phones, the
footers of mailing lists. Pure. A list of items is never taken for a signature."""

from __future__ import annotations

import re

MOST_SIGNATURE_LINES = 20
MOST_LIST_LINES = 15

_LIST_RULE = re.compile(r"(?:[_=-] ?){2,}$|[_=-]{20,}$|-- ?$")
_LIST_WORDS = re.compile(
    r"mailing list|mailman|listinfo|unsubscribe|google groups|groups\.io|you received this message because"
    r"|mailingliste|liste de diffusion|lista de correo|mailing-liste|abmelden|désabonner|sympa",
    re.IGNORECASE,
)
_PHONES = re.compile(
    r"(?:sent from (?:my|mail for|outlook|yahoo|proton|samsung|gmail|aol|blackberry)\b"
    r"|sent with (?:proton|aqua ?mail|spark|mailspring|tuta|airmail|my delta chat)"
    r"|get outlook for\b|get \[?outlook|outlook für \w+ (?:beziehen|herunterladen)|holen sie sich outlook"
    r"|von meinem .{1,60} gesendet|von (?:outlook|mail) für .{1,40} gesendet|gesendet von (?:mail"
    r"|outlook|yahoo|meinem)\b"
    r"|gesendet mit (?:der|dem|proton|spark)\b|diese nachricht wurde von meinem .{1,60} gesendet"
    r"|envoyé (?:de|depuis|à partir de|avec) (?:mon|ma|l'application|iphone|ipad|outlook|yahoo|proton"
    r"|mail|android)\b"
    r"|obtenez outlook|télécharger outlook"
    r"|enviado (?:desde|de|con|do|da) (?:mi|meu|minha|outlook|correo|yahoo|iphone|mail|proton"
    r"|samsung)\b|obtener outlook|obter o outlook"
    r"|inviato (?:da|dal|dalla|con) (?:mio|mia|outlook|iphone|ipad|posta|mail|yahoo|proton|samsung"
    r"|android|smartphone)\b"
    r"|(?:ottieni|scarica) outlook|отправлено (?:с|из) (?:моего|мобильн|телефон|iphone|ipad|android"
    r"|outlook|почты|mail"
    r"|яндекс|samsung|устройств)|получить outlook|verzonden (?:vanaf|met) "
    r"|skickat från |sendt fra "
    r"|wysłane z "
    r"|iphoneから送信|ipadから送信|.{1,30}から送信$|outlook for .{1,20} を入手|从我的.{1,20}发送|发自我的)",
    re.IGNORECASE,
)
_LONGEST_PHONE_LINE = 160


def signature_start(lines: list[str], *, flowed: bool) -> int | None:
    """The line at which a signature begins: the separator `-- ` (RFC 3676 §4.3), and `--` where blanks at
    the ends of lines may have been lost. None if the rest has quotes in it, or is too long for one."""
    for index in range(len(lines) - 1, max(-1, len(lines) - 2 - MOST_SIGNATURE_LINES), -1):
        if lines[index].startswith(">"):
            return None
        if lines[index] == "-- " or (not flowed and lines[index].rstrip() in ("--", "\u2014")):
            return index
    return None


def phone_start(lines: list[str]) -> int | None:
    """Where the last line is one that a phone or a program adds: that line. Trailing blanks must be gone."""
    if not lines:
        return None
    last = lines[-1].strip().strip("*_[]").lstrip()
    if len(last) <= _LONGEST_PHONE_LINE and _PHONES.match(last):
        return len(lines) - 1
    return None


def list_start(lines: list[str]) -> int | None:
    """The rule (`____`, `-- `, `====`) below which a mailing list says how to leave it."""
    for index in range(len(lines) - 1, max(-1, len(lines) - 2 - MOST_LIST_LINES), -1):
        if lines[index].startswith(">"):
            return None
        if _LIST_RULE.match(lines[index].strip() or "x"):
            below = "\n".join(line[:500] for line in lines[index + 1 :])
            return index if _LIST_WORDS.search(below) else None
    return None
