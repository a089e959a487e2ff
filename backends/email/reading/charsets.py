"""Knows how the octets of a mail become text, whatever the mail says that they are. Pure.

Order: what is declared, UTF-8, a guess (charset-normalizer), Windows-1252/Latin-1."""

from __future__ import annotations

import codecs
import re

GUESSED_FROM = 32 * 1024
"""Octets that a guess looks at: it costs much, and more would not make it better."""

_RENAMED = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-2022-jp": "iso2022_jp_2",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "windows-874": "cp874",
}
"""Names that mean a superset in practice, or that Python does not know."""

_NOT_FOR_MAIL = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_ENOUGH_READABLE = 50
"""One broken octet among so many characters of declared UTF-8 is damage, more is another charset."""


def decode(data: bytes, declared: str = "") -> str:
    """Octets as text: lines end with `\\n`, and there are no control characters but tab."""
    text = _decode(data, _known(declared))
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _decode(data: bytes, declared: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        declared = declared or "utf-16"
    if b"\x1b$" in data and declared in ("", "cp1252", "utf-8"):
        declared = "iso2022_jp_2"
    trusted = declared if declared != "cp1252" else ""
    for charset in (trusted, "utf-8"):
        text = _strictly(data, charset) if charset else None
        if text is not None:
            return text
    if declared == "cp1252":
        text = _strictly(data, declared)
        if text is not None:
            return text
    return _damaged(data, declared) or _guessed(data) or data.decode("latin-1")


def _known(declared: str) -> str:
    """The name of a codec for a declared charset, empty if there is none or it is none for text."""
    name = declared.strip(" \t\"'<>").lower()
    name = _RENAMED.get(name, name)
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return ""
    if codec.name.replace("-", "_") in _NOT_FOR_MAIL or not getattr(codec, "_is_text_encoding", True):
        return ""
    return codec.name


def _strictly(data: bytes, charset: str) -> str | None:
    """The text, or None. A character that the end cuts through is left out: big texts are read in part."""
    try:
        return data.decode(charset)
    except UnicodeDecodeError as error:
        if error.start < len(data) - 4:
            return None
        return data.decode(charset, "ignore")
    except (UnicodeError, ValueError):
        return None


def _damaged(data: bytes, declared: str) -> str:
    """Declared UTF-8 with little that is broken in it."""
    if declared != "utf-8":
        return ""
    text = data.decode("utf-8", "replace")
    return text if text.count("\N{REPLACEMENT CHARACTER}") * _ENOUGH_READABLE <= len(text) else ""


def _guessed(data: bytes) -> str:
    """What charset-normalizer makes of it; empty if it can't tell."""
    from charset_normalizer import from_bytes

    best = from_bytes(data[:GUESSED_FROM]).best()
    return data.decode(best.encoding, "replace") if best is not None else ""
