"""Knows the control codes for bold, colours and so on in IRC text, and the spans that stand for them. Pure.

https://modern.ircdocs.horse/formatting. What has no meaning is dropped: text never keeps a control character.
"""

from __future__ import annotations

import itertools
import re

import msgspec

from backends.irc.palette import PALETTE
from bridge.api import Content, Span, Style

_TOGGLES = {
    "\x02": Style.BOLD,
    "\x1d": Style.ITALIC,
    "\x1f": Style.UNDERLINE,
    "\x1e": Style.STRIKE,
    "\x11": Style.MONOSPACE,
}
_CODES = {style: code for code, style in _TOGGLES.items()}
_RESET, _REVERSE, _COLOUR, _HEX_COLOUR = "\x0f", "\x16", "\x03", "\x04"
_TOKEN = re.compile(
    r"\x03(?:(?P<fg>\d{1,2})(?:,(?P<bg>\d{1,2}))?)?"
    r"|\x04(?:(?P<hfg>[0-9A-Fa-f]{6})(?:,(?P<hbg>[0-9A-Fa-f]{6}))?)?"
    r"|[\x00-\x08\x0a-\x1f\x7f]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def read(text: str, *, action: bool = False, notice: bool = False) -> Content:
    """IRC text as content: the codes become spans (COLOUR values are `#rrggbb`, with `/#rrggbb` for a
    background)."""
    if text.isprintable():
        return Content(text, action=action, notice=notice)
    reader = _Reader()
    position = 0
    for token in _TOKEN.finditer(text):
        reader.text(text[position : token.start()])
        reader.code(token)
        position = token.end()
    reader.text(text[position:])
    return Content(_clean(reader.finish()), tuple(reader.spans), action=action, notice=notice)


def plain(text: str) -> str:
    """IRC text without its codes."""
    return text if text.isprintable() else _clean(_TOKEN.sub("", text))


def _clean(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


class _Reader:
    """Collects the plain text and the spans that are open."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._pieces: list[str] = []
        self._length = 0
        self._open: dict[Style, tuple[int, str]] = {}
        self._colours = ("", "")

    def text(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def code(self, token: re.Match[str]) -> None:
        code = token[0][0]
        if code in _TOGGLES:
            self._toggle(_TOGGLES[code])
        elif code == _COLOUR:
            self._colour(_named(token["fg"]), _named(token["bg"]), bare=token["fg"] is None)
        elif code == _HEX_COLOUR:
            self._colour(_hex(token["hfg"]), _hex(token["hbg"]), bare=token["hfg"] is None)
        elif code == _RESET:
            self._reset()
        elif code == _REVERSE:
            self._colour(self._colours[1], self._colours[0], bare=not any(self._colours))

    def _toggle(self, style: Style) -> None:
        if style in self._open:
            self._close(style)
        else:
            self._open[style] = (self._length, "")

    def _colour(self, text: str | None, background: str | None, *, bare: bool) -> None:
        """`None` leaves a colour as it is (as code 99 or a missing background do not)."""
        fg, bg = self._colours
        self._colours = (
            ("", "") if bare else (fg if text is None else text, bg if background is None else background)
        )
        self._close(Style.COLOUR)
        fg, bg = self._colours
        if fg or bg:
            self._open[Style.COLOUR] = (self._length, f"{fg}/{bg}" if bg else fg)

    def _reset(self) -> None:
        for style in list(self._open):
            self._close(style)
        self._colours = ("", "")

    def _close(self, style: Style) -> None:
        start, value = self._open.pop(style, (self._length, ""))
        if start < self._length:
            self.spans.append(Span(start, self._length, style, value))

    def finish(self) -> str:
        self._reset()
        self.spans.sort(key=lambda span: (span.start, span.end, span.style.value))
        return "".join(self._pieces)


def _named(number: str | None) -> str | None:
    if number is None:
        return None
    index = int(number)
    return f"#{PALETTE[index]}" if index < len(PALETTE) else ""


def _hex(value: str | None) -> str | None:
    return None if value is None else f"#{value.lower()}"


def write(text: str, spans: tuple[Span, ...] = ()) -> str:
    """Text and spans as IRC text of one line. Control characters of the text itself are dropped.

    Spans that IRC cannot show (links) are left out, colours become the nearest of the sixteen that every
    client knows, and a background colour needs a text colour (it gets black or white).
    """
    shown = [span for span in spans if span.style in _CODES or span.style is Style.COLOUR]
    if not shown:
        return _CONTROL.sub("", text) if not text.isprintable() else text
    borders = sorted({0, len(text), *(min(max(at, 0), len(text)) for s in shown for at in (s.start, s.end))})
    pieces: list[str] = []
    active: frozenset[str] = frozenset()
    for start, end in itertools.pairwise(borders):
        here = frozenset(_code(span) for span in shown if span.start <= start and span.end >= end)
        piece = _CONTROL.sub("", text[start:end])
        pieces.append(_switch(active, here, piece))
        pieces.append(piece)
        active = here
    return "".join(pieces)


def spell_links(content: Content) -> Content:
    """The content with each link's target after it, in parentheses, unless the text shows it already."""
    text, spans = content.text, list(content.spans)
    links = [span for span in spans if span.style is Style.LINK and span.value]
    for link in sorted(links, key=lambda span: span.end, reverse=True):
        end = min(max(link.end, 0), len(text))
        if link.value in text[max(link.start, 0) : end]:
            continue
        added = f" ({link.value})"
        text = text[:end] + added + text[end:]
        spans = [_moved(span, end, len(added)) for span in spans]
    return msgspec.structs.replace(content, text=text, spans=tuple(spans))


def _moved(span: Span, at: int, by: int) -> Span:
    start = span.start + by if span.start >= at else span.start
    end = span.end + by if span.end > at else span.end
    return Span(start, end, span.style, span.value)


def _code(span: Span) -> str:
    return _colour_code(span.value) if span.style is Style.COLOUR else _CODES[span.style]


def _switch(before: frozenset[str], now: frozenset[str], piece: str) -> str:
    """The codes between two pieces; a bold pair keeps digits and commas of the text out of a colour code."""
    if before == now:
        return ""
    gone = before - now
    wanted = sorted(now if gone else now - before, key=lambda code: (code[0] == _COLOUR, code))
    codes = (_RESET if gone else "") + "".join(wanted)
    if wanted and wanted[-1][0] == _COLOUR and piece[:1] == ",":
        codes += "\x02\x02"
    return codes


def _colour_code(value: str) -> str:
    text, _, background = value.partition("/")
    if not background:
        return f"{_COLOUR}{_nearest(text):02}"
    if not text:
        text = "#000000" if _brightness(background) > 127 else "#ffffff"
    return f"{_COLOUR}{_nearest(text):02},{_nearest(background):02}"


def _nearest(colour: str) -> int:
    """The number of the classic colour that is nearest to `#rrggbb`; black for what is no colour."""
    wanted = _channels(colour.removeprefix("#"))
    if wanted is None:
        return 1
    distances = [
        sum((a - b) ** 2 for a, b in zip(wanted, _channels(known) or (0, 0, 0), strict=True))
        for known in PALETTE[:16]
    ]
    return distances.index(min(distances))


def _channels(colour: str) -> tuple[int, int, int] | None:
    if not re.fullmatch("[0-9A-Fa-f]{6}", colour):
        return None
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)


def _brightness(colour: str) -> float:
    red, green, blue = _channels(colour.removeprefix("#")) or (0, 0, 0)
    return 0.3 * red + 0.59 * green + 0.11 * blue
