"""What a message says, in a form that belongs to no network: plain text, formatting spans, attachments.

What every message needs is made with `gc=False`, here and elsewhere: frozen values cannot refer to each other
in a ring, so the garbage collector need not look at them."""

from __future__ import annotations

import enum

import msgspec


class Style(enum.Enum):
    """How a span of text looks."""

    BOLD = "bold"
    ITALIC = "italic"
    UNDERLINE = "underline"
    STRIKE = "strike"
    MONOSPACE = "monospace"
    COLOUR = "colour"
    LINK = "link"


class Span(msgspec.Struct, frozen=True):
    """A styled part of a text: characters `start` to `end` (end not included) of `Content.text`.

    `value` is `#rrggbb` or `#rrggbb/#rrggbb` (text/background) for COLOUR, the URL for LINK, else empty.
    """

    start: int
    end: int
    style: Style
    value: str = ""


class Attachment(msgspec.Struct, frozen=True):
    """A file that travels with a message, by reference. `size` is in bytes, -1 where unknown."""

    url: str
    name: str = ""
    media_type: str = ""
    size: int = -1


class Content(msgspec.Struct, frozen=True, gc=False):
    """A message's content.

    `text` has lines separated by `\\n`. `action` marks an emote (`/me`; the text is without that prefix).
    `notice` marks text that no automat should answer (an IRC NOTICE, an auto-reply). `quoted` is what a reply
    repeats of the message that it answers, without marks: for those who can't be shown that message.
    """

    text: str
    spans: tuple[Span, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    action: bool = False
    notice: bool = False
    subject: str | None = None
    quoted: str = ""
