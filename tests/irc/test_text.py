"""Formatting codes and spans, and the splitting of long text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.irc.formatting import plain, read, write
from backends.irc.palette import PALETTE
from backends.irc.split import split_content
from bridge.api import Content, Span, Style

BOLD, ITALIC, COLOUR = Style.BOLD, Style.ITALIC, Style.COLOUR


@pytest.mark.parametrize(
    ("text", "shown", "spans"),
    [
        ("plain", "plain", ()),
        ("a \x02bold\x02 b", "a bold b", (Span(2, 6, BOLD),)),
        ("\x02\x1dboth\x0f no", "both no", (Span(0, 4, BOLD), Span(0, 4, ITALIC))),
        ("\x034red\x03 no", "red no", (Span(0, 3, COLOUR, "#ff0000"),)),
        ("\x034,2x\x0312y", "xy",
         (Span(0, 1, COLOUR, "#ff0000/#00007f"), Span(1, 2, COLOUR, "#0000fc/#00007f"))),
        ("\x03,5", ",5", ()),
        ("\x0304,text", ",text", (Span(0, 5, COLOUR, "#ff0000"),)),
        ("\x04ff8800x\x04y", "xy", (Span(0, 1, COLOUR, "#ff8800"),)),
        ("\x03041", "1", (Span(0, 1, COLOUR, "#ff0000"),)),
        ("\x0399x", "x", ()),
        ("\x02open", "open", (Span(0, 4, BOLD),)),
        ("\x02\x02", "", ()),
        ("\x11code\x11 \x1eno\x1e \x1fu", "code no u",
         (Span(0, 4, Style.MONOSPACE), Span(5, 7, Style.STRIKE), Span(8, 9, Style.UNDERLINE))),
        ("a\x00b\x10nc\x7f", "abnc", ()),
        ("tab\tstays", "tab\tstays", ()),
        ("\x16reverse", "reverse", ()),
    ],
)  # fmt: skip
def test_codes_become_spans(text: str, shown: str, spans: tuple[Span, ...]) -> None:
    assert read(text) == Content(shown, spans)
    assert plain(text) == shown


@given(st.text(st.sampled_from("\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f0123456789,abAB \t\0")))
def test_any_codes_leave_clean_text(text: str) -> None:
    content = read(text)
    assert not any(unicodedata.category(each) == "Cc" and each != "\t" for each in content.text)
    assert all(0 <= span.start < span.end <= len(content.text) for span in content.spans)


VALUES = st.sampled_from(sorted({f"#{colour}" for colour in PALETTE[:16]}))


@st.composite
def styled(draw: st.DrawFn) -> Content:
    """A line with spans in the form that `read` gives: of one style they do not touch."""
    text = draw(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60))
    spans: list[Span] = []
    for style in draw(
        st.sets(st.sampled_from([BOLD, ITALIC, Style.UNDERLINE, Style.STRIKE, Style.MONOSPACE, COLOUR]))
    ):
        borders = sorted(draw(st.sets(st.integers(0, len(text)), max_size=4)))
        value = draw(VALUES) if style is COLOUR else ""
        spans += [Span(a, b, style, value) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    return Content(text, tuple(sorted(spans, key=lambda span: (span.start, span.end, span.style.value))))


@given(styled())
def test_spans_there_and_back(content: Content) -> None:
    back = read(write(content.text, content.spans))
    assert back.text == content.text
    assert styles_at(back) == styles_at(content)


def styles_at(content: Content) -> list[set[tuple[Style, str]]]:
    return [
        {(span.style, span.value) for span in content.spans if span.start <= at < span.end}
        for at in range(len(content.text))
    ]


@given(st.text(), st.lists(st.builds(Span, st.integers(-5, 50), st.integers(-5, 50), st.sampled_from(Style),
                                     st.text(max_size=9))))  # fmt: skip
def test_any_spans_are_written(text: str, spans: list[Span]) -> None:
    assert not set(write(text, tuple(spans))) & set("\r\n\0\x01")


def lines(text: str, room: int = 400) -> list[str]:
    return [part.wire for part in split_content(Content(text), room)]


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("one\ntwo\r\nthree", 400, ["one", "two", "three"]),
        ("a\n\n  \nb\n", 400, ["a", "b"]),
        ("", 400, []),
        ("hello wonderful world", 15, ["hello wonderful", "world"]),
        # A blank in the first half is too far back.
        ("hello wonderful world", 14, ["hello wonderfu", "l world"]),
        ("abcdefghijkl", 8, ["abcdefgh", "ijkl"]),
        ("ääääääää", 9, ["ääää", "ääää"]),
        ("x👍🏽" * 3, 13, ["x👍🏽x", "👍🏽x", "👍🏽"]),
        ("🇩🇪🇫🇷🇮🇹", 12, ["🇩🇪", "🇫🇷", "🇮🇹"]),
        ("aaaaaaae\u0301b", 8, ["aaaaaaa", "e\u0301b"]),
        ("👨\u200d👩\u200d👧👨\u200d👩\u200d👧", 30, ["👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"]),
    ],
)  # fmt: skip
def test_splitting(text: str, room: int, expected: list[str]) -> None:
    assert lines(text, room) == expected


@given(st.text(st.characters(codec="utf-8")), st.integers(8, 60))
def test_parts_fit_and_lose_nothing(text: str, room: int) -> None:
    parts = list(split_content(Content(text), room))
    assert all(0 < len(part.wire.encode()) <= room for part in parts)
    assert all(not set(part.wire) & set("\r\n\0\x01") for part in parts)
    kept = [each for each in text if not each.isspace() and not (each < " " or each == "\x7f")]
    sent = [each for part in parts for each in part.wire if not each.isspace()]
    assert sent == kept


@given(styled(), st.integers(20, 60))
def test_styled_parts_fit_and_say_what_they_show(content: Content, room: int) -> None:
    for part in split_content(content, room):
        assert len(part.wire.encode()) <= room
        assert read(part.wire).text == part.content.text


@given(st.text("a👍🏽\u0301 \u200d", max_size=300), st.integers(8, 40))
def test_a_cluster_is_cut_only_when_it_must(text: str, room: int) -> None:
    assert all(len(part.wire.encode()) <= room for part in split_content(Content(text), room))
