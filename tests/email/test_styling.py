"""Message Styling (XEP-0393), by the specification's own rules."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.email.writing import styled_html, styling
from backends.email.writing.styling import Line, Look, Preformatted, Quote, Styled


def strong(*inner: styling.Span) -> Styled:
    return Styled(Look.STRONG, inner)


@pytest.mark.parametrize(
    ("line", "spans"),
    [
        ("*strong*", (strong("strong"),)),
        ("plain *strong* plain", ("plain ", strong("strong"), " plain")),
        ("*strong* plain *strong*", (strong("strong"), " plain ", strong("strong"))),
        ("*strong*plain*", (strong("strong"), "plain*")),
        ("* plain *strong*", ("* plain ", strong("strong"))),
        ("not strong*", ("not strong*",)),
        ("*not strong", ("*not strong",)),
        ("*not *strong", ("*not *strong",)),
        ("**", ("**",)),
        ("****", ("****",)),
        ("_em_", (Styled(Look.EMPHASIS, ("em",)),)),
        ("~gone~", (Styled(Look.STRIKE, ("gone",)),)),
        ("Everyone ~dis~likes cake.", ("Everyone ", Styled(Look.STRIKE, ("dis",)), "likes cake.")),
        ("`*mono*`", (Styled(Look.MONO, ("*mono*",)),)),
        ("*`mono and bold`*", (strong(Styled(Look.MONO, ("mono and bold",))),)),
        ("_em *both* em_", (Styled(Look.EMPHASIS, ("em ", strong("both"), " em")),)),
        ("a*b*c", ("a*b*c",)),
        ("* a*", ("* a*",)),
        ("", ()),
    ],
)
def test_spans(line: str, spans: tuple[styling.Span, ...]) -> None:
    assert styling.spans(line) == spans


def test_spans_do_not_leave_their_line() -> None:
    assert styling.blocks("*not \n strong*") == (Line(("*not ",)), Line((" strong*",)))


def test_preformatted_blocks() -> None:
    assert styling.blocks("```ignored\n *x*\n```\nafter") == (Preformatted((" *x*",)), Line(("after",)))
    assert styling.blocks("> ```\n> code\n\nplain") == (
        Quote((Preformatted(("code",)),)), Line(()), Line(("plain",)),
    )  # fmt: skip


def test_quotes() -> None:
    assert styling.blocks(">> That\n> Said.\n\nWho?") == (
        Quote((Quote((Line(("That",)),)), Line(("Said.",)))), Line(()), Line(("Who?",)),
    )  # fmt: skip


@given(st.text("*_~` a\tb", max_size=200))
def test_no_letter_is_lost(text: str) -> None:
    def letters(spans: tuple[styling.Span, ...]) -> str:
        return "".join(each if isinstance(each, str) else letters(each.inner) for each in spans)

    found = letters(styling.spans(text))

    assert re.sub(r"[*_~`]", "", found) == re.sub(r"[*_~`]", "", text)


@given(st.text("*_~`> \na\t", max_size=200))
def test_any_text_is_html_with_all_tags_closed(text: str) -> None:
    html = styled_html.page(styling.blocks(text))

    for tag in ("b", "i", "s", "code", "pre", "blockquote", "div"):
        assert len(re.findall(f"<{tag}[ >]", html)) == html.count(f"</{tag}>")


def test_long_lines_take_no_long_time() -> None:
    before = time.process_time()

    styling.spans("*a " * 50_000)
    styling.spans("*a _b ~c `d " * 10_000 + "*`~_")
    styling.blocks(">" * 50_000)
    styling.blocks("> " * 20_000 + "\n" * 20_000)

    assert time.process_time() - before < 2
