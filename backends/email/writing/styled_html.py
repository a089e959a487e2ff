"""Knows how styled text looks as HTML in a mail. Pure."""

from __future__ import annotations

from html import escape

from backends.email.writing.styling import Block, Line, Look, Preformatted, Quote, Span

_TAGS = {Look.STRONG: "b", Look.EMPHASIS: "i", Look.STRIKE: "s", Look.MONO: "code"}
_QUOTE = '<blockquote type="cite" style="margin:0 0 0 .8ex;border-left:2px solid #ccc;padding-left:1ex">'


def page(found: tuple[Block, ...]) -> str:
    """A whole page; lines end with `\\n`."""
    return f'<html><head><meta charset="utf-8"></head><body>\n{_html(found)}</body></html>\n'


def _html(found: tuple[Block, ...]) -> str:
    return "".join(map(_block, found))


def _block(block: Block) -> str:
    match block:
        case Line(spans=spans):
            return f"<div>{''.join(map(_span, spans)) or '<br>'}</div>\n"
        case Preformatted(lines=lines):
            return f"<pre>{escape(chr(10).join(lines))}</pre>\n"
        case Quote(blocks=inner):
            return f"{_QUOTE}\n{_html(inner)}</blockquote>\n"


def _span(span: Span) -> str:
    if isinstance(span, str):
        return escape(span).replace("  ", " &nbsp;")
    tag = _TAGS[span.look]
    return f"<{tag}>{''.join(map(_span, span.inner))}</{tag}>"
