"""Message Styling (XEP-0393), by the specification's own rules."""

from __future__ import annotations

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


@given(st.text("*_~`> \na\t", max_size=200))
def test_no_text_is_lost(text: str) -> None:
    """What is shown has all letters that are no directives."""
    html = styled_html.page(styling.blocks(text))
    inside = html.partition("<body>")[2].partition("</body>")[0]

    fences = sum(
        len(line.strip("`> \t")) for line in text.split("\n") if line.lstrip("> \t").startswith("```")
    )
    kept = text.count("a")
    assert kept - fences <= inside.replace("<blockquote", "").count("a") - inside.count("</blockquote>") * 0
    assert inside.count("<b>") == inside.count("</b>")


def test_long_lines_take_no_long_time() -> None:
    before = time.process_time()

    styling.spans("*a " * 50_000)
    styling.spans("*a _b ~c `d " * 10_000 + "*`~_")
    styling.blocks(">" * 50_000)
    styling.blocks("> " * 20_000 + "\n" * 20_000)

    assert time.process_time() - before < 2
