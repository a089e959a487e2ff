"""Knows how formatted text becomes XHTML-IM (XEP-0071), for the clients that show it; the body stays
plain."""

from __future__ import annotations

import re
from itertools import pairwise

from bridge.api import Content, Span, Style
from bridge.xmpp.escape import attr, text

__all__ = ["xhtml"]

_COLOUR = re.compile(r"(?:#[0-9a-fA-F]{6})?(?:/#[0-9a-fA-F]{6})?").fullmatch
_LINK = re.compile(r"(?:https?|ftp|mailto|xmpp|tel|sms|geo|irc|ircs):\S", re.IGNORECASE).match

_CSS = {
    Style.BOLD: "font-weight: bold",
    Style.ITALIC: "font-style: italic",
    Style.UNDERLINE: "text-decoration: underline",
    Style.STRIKE: "text-decoration: line-through",
    Style.MONOSPACE: "font-family: monospace",
}


def xhtml(content: Content, *, marked: bool = False) -> str:
    """`<html/>` for a content's spans, "" where none of them marks anything. `marked`: a notice says so."""
    said, spans = content.text, [span for span in content.spans if span.start < span.end]
    edges = {0, len(said)}
    for span in spans:
        edges.update((min(max(span.start, 0), len(said)), min(max(span.end, 0), len(said))))
    cuts = sorted(edges)
    runs = (
        _run(said[start:end], [span for span in spans if span.start <= start and end <= span.end])
        for start, end in pairwise(cuts)
    )
    inner = "".join(runs)
    if "<span" not in inner and "<a " not in inner:
        return ""
    if content.action:
        inner = "/me " + inner
    if marked and content.notice:
        inner = "[notice] " + inner
    return (
        "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
        f"<p>{inner}</p></body></html>"
    )


def _run(said: str, spans: list[Span]) -> str:
    """One stretch of text over which no span begins or ends."""
    inner = text(said).replace("\n", "<br/>")
    styles = "; ".join(dict.fromkeys(css for span in spans if (css := _css(span))))
    if styles:
        inner = f"<span style='{attr(styles)}'>{inner}</span>"
    link = next((one.value for one in spans if one.style is Style.LINK and _LINK(one.value)), "")
    return f"<a href='{attr(link)}'>{inner}</a>" if link else inner


def _css(span: Span) -> str:
    if span.style is not Style.COLOUR:
        return _CSS.get(span.style, "")
    if not _COLOUR(span.value):
        return ""
    fore, _, back = span.value.partition("/")
    return "; ".join([f"color: {fore}"] * bool(fore) + [f"background-color: {back}"] * bool(back))
