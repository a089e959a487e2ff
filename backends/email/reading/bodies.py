"""Reads the text of a mail out of its parts: picks the form, decodes it, and makes text of HTML.

Plain text is taken where there is some, unless it is short and the HTML says more than four times as much:
then it only says that one should look at the HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO

from backends.email.reading import charsets, flowed, html_text, marks, pgp_text, transfer
from backends.email.reading.selection import PGP_NOTE, Text
from backends.email.reading.structure import Part

LONGEST = 2 * 1024 * 1024
"""Octets of a text that are read at all."""

_STUB = 200
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_RICH_TAG = re.compile(r"<param>.{0,200}?</param>|</?[a-zA-Z-]{1,40}>", re.DOTALL)
_CID = re.compile(r"\[cid:[^\]\s]{1,200}\]|\[image: [^\]\n]{1,200}\]")


@dataclass(slots=True)
class Body:
    """The text of a mail. `text` has marks in it; `html` is the source where it was made of HTML (else
    empty); `signed`: a signature is gone already; `images` are the Content-IDs of the marks' numbers."""

    text: str = ""
    html: str = ""
    flowed: bool = False
    signed: bool = False
    complete: bool = True
    images: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Body) -> None:
        """Put another text below this one."""
        self.text = "\n\n".join(each for each in (self.text, other.text) if each.strip())
        self.html += other.html
        self.flowed = self.flowed or other.flowed
        self.signed = self.signed or other.signed
        self.complete = self.complete and other.complete
        self.images += other.images
        self.notes += [note for note in other.notes if note not in self.notes]


def read(file: BinaryIO, texts: list[Text]) -> Body:
    """All texts of a mail, one below the other."""
    body = Body()
    for text in texts:
        body.add(_one(file, text, len(body.images)))
    return body


def of_html(html: str, first_image: int = 0) -> Body:
    """HTML as a body."""
    page = html_text.read(html, first_image)
    complete = len(html) <= html_text.LONGEST
    return Body(page.text, html, signed=page.signed, complete=complete, images=page.images)


def html_source(file: BinaryIO, part: Part) -> str:
    """The HTML of a part, decoded; where the part names no charset, the HTML itself may."""
    data, _ = transfer.head(file, part, LONGEST)
    charset = part.parameters.get("charset", "")
    if not charset and (meta := _META_CHARSET.search(data[:4096])):
        charset = meta[1].decode("ascii")
    return charsets.decode(data, charset)


def _one(file: BinaryIO, text: Text, first_image: int) -> Body:
    plain = _plain(file, text.plain) if text.plain is not None else Body()
    if text.html is None:
        return plain
    if len(plain.text.strip()) > _STUB:
        return plain
    rich = of_html(html_source(file, text.html), first_image)
    said = len(marks.without(rich.text).strip())
    if plain.text.strip() and said <= 4 * max(len(plain.text.strip()), 20):
        return plain
    return rich


def _plain(file: BinaryIO, part: Part) -> Body:
    data, complete = transfer.head(file, part, LONGEST)
    text = marks.without(charsets.decode(data, part.parameters.get("charset", "")))
    if part.media_type in ("text/enriched", "text/richtext"):
        text = _RICH_TAG.sub("", text)
    is_flowed = part.parameters.get("format", "").lower() == "flowed"
    if is_flowed:
        text = flowed.unflow(text, part.parameters.get("delsp", "").lower() == "yes")
    text, encrypted = pgp_text.without_armour(text)
    text = _CID.sub("", text).replace("\xa0", " ").replace("\u200b", "")
    return Body(text, flowed=is_flowed, complete=complete, notes=[PGP_NOTE] if encrypted else [])
