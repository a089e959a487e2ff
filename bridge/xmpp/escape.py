"""Knows how any string is put into XML text or an attribute so that no server closes the stream over it.

XML 1.0 §2.2 has no way at all to carry most control characters, U+FFFE and U+FFFF; a lone surrogate cannot
be written in UTF-8. One IRC bold code sent raw makes a server end the whole component stream, therefore every
text and attribute that goes out passes here.
"""

from __future__ import annotations

import re

__all__ = ["attr", "legal", "text"]

_ILLEGAL = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"

_find_illegal = re.compile(f"[{_ILLEGAL}]").search
_sub_illegal = re.compile(f"[{_ILLEGAL}]").sub
_find_in_text = re.compile(f"[&<>\r{_ILLEGAL}]").search
_sub_in_text = re.compile(f"[&<>\r{_ILLEGAL}]").sub
_find_in_attr = re.compile(f"[&<>\"'\t\n\r{_ILLEGAL}]").search
_sub_in_attr = re.compile(f"[&<>\"'\t\n\r{_ILLEGAL}]").sub

# A parser turns a raw \r in text, and any raw white space in an attribute, into something else
# (XML 1.0 §2.11, §3.3.3); as references they arrive as they were.
_REFERENCES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}


def _replacement(match: re.Match[str]) -> str:
    char = match[0]
    known = _REFERENCES.get(char)
    return _legal_char(char) if known is None else known


def _legal_char(char: str) -> str:
    return "\ufffd" if "\ud800" <= char <= "\udfff" else ""


def text(value: str) -> str:
    """`value` as XML character data; a parser reads back `legal(value)`."""
    if not value.isprintable():
        return value if _find_in_text(value) is None else _sub_in_text(_replacement, value)
    # Nothing in it is illegal or white space but the blank: three replacements cost a quarter of a `sub`.
    if "&" in value:
        value = value.replace("&", "&amp;")
    if "<" in value:
        value = value.replace("<", "&lt;")
    return value.replace(">", "&gt;") if ">" in value else value


def attr(value: str) -> str:
    """`value` for inside a quoted attribute, either quote; a parser reads back `legal(value)`."""
    return value if _find_in_attr(value) is None else _sub_in_attr(_replacement, value)


def legal(value: str) -> str:
    """`value` without what XML 1.0 cannot carry; each lone surrogate becomes U+FFFD. Escapes nothing."""
    return value if _find_illegal(value) is None else _sub_illegal(lambda m: _legal_char(m[0]), value)
