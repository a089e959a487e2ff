"""Whatever string goes in, a strict parser reads it back, without what XML cannot carry."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.xmpp import escape

ANY_CHAR = st.characters(categories=["L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Cs", "Cn", "Co"])
NASTY = st.sampled_from(
    [*"\x00\x01\x02\t\n\x0b\r\x1f\x7f\x85&<>'\"]", "\ud800", "\udfff", "\ufffe", "\uffff", "]]>"]
)
ANY_TEXT = st.lists(st.one_of(NASTY, ANY_CHAR, st.text(max_size=5))).map("".join)


def legal_by_definition(value: str) -> str:
    """XML 1.0 §2.2, character by character."""
    kept = []
    for char in value:
        code = ord(char)
        if 0xD800 <= code <= 0xDFFF:
            kept.append("\ufffd")
        elif code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xFFFD or code >= 0x10000:
            kept.append(char)
    return "".join(kept)


@given(ANY_TEXT, ANY_TEXT)
@example("a\r\nb\tc\r", "a\r\nb\tc\r")
@example("]]>", "'\"")
def test_a_parser_reads_back_the_legal_value(text: str, attribute: str) -> None:
    for quote in "'\"":
        document = f"<a b={quote}{escape.attr(attribute)}{quote}>{escape.text(text)}</a>"
        parsed = ET.fromstring(document.encode())
        assert (parsed.text or "") == legal_by_definition(text)
        assert parsed.get("b") == legal_by_definition(attribute)


@given(ANY_TEXT)
def test_legal_is_what_the_standard_says(value: str) -> None:
    assert escape.legal(value) == legal_by_definition(value)


@pytest.mark.parametrize("plain", ["", "plain text", "grüße 🦀\nsecond line"])
def test_plain_text_is_handed_back_itself(plain: str) -> None:
    assert escape.text(plain) is plain
