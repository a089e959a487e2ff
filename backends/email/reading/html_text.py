"""Makes readable text of HTML in one pass: links kept as `text <address>`, quotes as `>`, styling as in
XEP-0393, lists, tables by lines. Scripts and what is not to be seen are left out. Pure."""

from __future__ import annotations

from typing import assert_never

from backends.email.reading import html_tokens, marks
from backends.email.reading.html_hints import Hint, hint
from backends.email.reading.html_lines import Lines
from backends.email.reading.html_tokens import End, Start

LONGEST = 512 * 1024
"""Characters that are read: the rest costs seconds, and nobody reads it in a chat."""

_BLOCKS = frozenset(
    "address article aside center dd div dl dt fieldset figcaption figure footer form header li main "
    "nav section table tbody thead tfoot tr caption body html".split()
)
_PARAGRAPHS = frozenset("p blockquote pre h1 h2 h3 h4 h5 h6 ul ol hr dl".split())
_STYLES = {
    "b": "*", "strong": "*", "th": "*", "i": "_", "em": "_", "s": "~", "strike": "~", "del": "~",
    "code": "`", "tt": "`", "kbd": "`", "h1": "*", "h2": "*", "h3": "*", "h4": "*", "h5": "*", "h6": "*",
}  # fmt: skip
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_LINKS = ("http://", "https://", "mailto:", "tel:", "xmpp:", "ftp://", "geo:")
_SEARCH_BACK = 60
"""Open elements among which the one that an end tag means is looked for."""


class Page:
    """HTML as text. `signed`: a signature was left out. `images` are the Content-IDs that the numbers in the
    text's marks stand for."""

    def __init__(self, text: str, signed: bool, images: list[str]) -> None:
        self.text, self.signed, self.images = text, signed, images


def read(html: str, first_image: int = 0) -> Page:
    """HTML as text with marks (`marks`); the number of the first image may be given."""
    reader = _Reader(first_image)
    for token in html_tokens.tokens(marks.without(html[:LONGEST])):
        match token:
            case Start(tag=tag, attributes=attributes):
                reader.start(tag, attributes)
            case End(tag=tag):
                reader.end(tag)
            case str():
                reader.text(marks.without(token))
            case _:
                assert_never(token)
    return Page(reader.lines.result(), reader.signed, reader.images)


class _Element:
    __slots__ = ("attributes", "href", "label", "since", "skips", "tag", "undo")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.skips, self.href, self.undo = tag, False, "", ""
        self.attributes = attributes
        self.since = (0, 0)
        self.label: list[str] = []


class _Reader:
    def __init__(self, first_image: int) -> None:
        self._first_image = first_image
        self.lines = Lines()
        self.images: list[str] = []
        self.signed = False
        self._open: list[_Element] = []
        self._skipping = self._pre = 0
        self._lists: list[int] = []
        self._link: _Element | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _VOID:
            if not self._skipping:
                self._void(tag, attributes)
            return
        element = _Element(tag, attributes)
        self._open.append(element)
        what = hint(tag, {name: value.lower() for name, value in attributes.items()})
        element.skips = what in (Hint.HIDDEN, Hint.SIGNATURE)
        self.signed |= what is Hint.SIGNATURE and not self._skipping
        self._skipping += element.skips
        if not self._skipping:
            self._begin(element, what, attributes)

    def _begin(self, element: _Element, what: Hint, attributes: dict[str, str]) -> None:
        tag = element.tag
        self._break(tag, attributes)
        if what is Hint.QUOTE:
            self.lines.end()
            self.lines.exactly(marks.QUOTE)
            self.lines.end()
        elif what is Hint.ATTRIBUTION:
            self.lines.exactly(marks.ATTRIBUTION)
        if what is Hint.CITED:
            self.lines.depth += 1
            element.undo = "quote"
        elif tag in ("ul", "ol"):
            self._lists.append(1 if tag == "ol" else 0)
            element.undo = "list"
        elif tag == "pre":
            self._pre += 1
            element.undo = "pre"
        elif tag == "a" and self._link is None:
            element.href = attributes.get("href", "").strip()
            self._link = element
        elif tag == "li":
            self._bullet()
        element.since = self.lines.mark()

    def _break(self, tag: str, attributes: dict[str, str], closing: bool = False) -> None:
        tight = bool(self._lists) or attributes.get("class", "").lower().startswith("mso")
        if tag in ("ul", "ol"):
            tight = len(self._lists) > 1 or (bool(self._lists) and not closing)
        if tag in _PARAGRAPHS and not tight:
            self.lines.paragraph()
        elif tag in _BLOCKS or tag in _PARAGRAPHS:
            self.lines.end()
        elif tag in ("td", "th"):
            self.lines.cell = True

    def _bullet(self) -> None:
        self.lines.indent = "  " * min(len(self._lists) - 1, 8)
        self.lines.bullet = "• "
        if self._lists and self._lists[-1]:
            self.lines.bullet = f"{self._lists[-1]}. "
            self._lists[-1] += 1

    def _void(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "br":
            self.lines.newline()
        elif tag == "hr":
            self.lines.paragraph()
        elif tag == "img":
            self._image(attributes)

    def _image(self, attributes: dict[str, str]) -> None:
        source, alt = attributes.get("src", "").strip(), attributes.get("alt", "").strip()
        if source.lower().startswith("cid:"):
            self.lines.exactly(f"{marks.IMAGE}{self._first_image + len(self.images)}{marks.IMAGE_END}")
            self.images.append(source[4:].strip("<> "))
        elif alt and "://" not in alt and not alt.lower().endswith((".png", ".jpg", ".jpeg", ".gif")):
            self.text(marks.without(alt))

    def end(self, tag: str) -> None:
        for back in range(1, min(len(self._open), _SEARCH_BACK) + 1):
            if self._open[-back].tag == tag:
                for _ in range(back):
                    self._end(self._open.pop())
                return
        if tag == "p" and not self._skipping:
            self.lines.paragraph()

    def _end(self, element: _Element) -> None:
        if self._skipping:
            self._skipping -= element.skips
            return
        if element is self._link:
            self._end_link(element)
        if element.tag in _STYLES:
            self.lines.wrap(element.since, _STYLES[element.tag])
        self._break(element.tag, element.attributes, closing=True)
        if element.undo == "quote":
            self.lines.depth -= 1
        elif element.undo == "list":
            self._lists.pop()
        elif element.undo == "pre":
            self._pre -= 1
        if element.tag == "li":
            self.lines.bullet = ""
            self.lines.indent = "  " * min(len(self._lists) - 1, 8)
        if not self._lists:
            self.lines.indent = ""

    def _end_link(self, link: _Element) -> None:
        self._link = None
        label = " ".join("".join(link.label).split())
        if not label or not link.href.lower().startswith(_LINKS):
            return
        target = link.href.partition("?")[0] if link.href.lower().startswith("mailto:") else link.href
        bare = target.removeprefix("mailto:").removeprefix("tel:")
        if _core(bare) not in (_core(label), _core(label.split()[-1])):
            self.lines.text(f" <{bare}>")

    def text(self, data: str) -> None:
        if self._skipping:
            return
        if self._link is not None:
            self._link.label.append(data)
        if not self._pre:
            self.lines.text(data)
            return
        first, *others = data.split("\n")
        if first:
            self.lines.exactly(first)
        for line in others:
            self.lines.newline()
            if line:
                self.lines.exactly(line)


def _core(address: str) -> str:
    """What counts when an address and what is shown for it are compared."""
    for scheme in ("https://", "http://", "www."):
        address = address.removeprefix(scheme)
    return address.strip("<>()").rstrip("/").lower()
