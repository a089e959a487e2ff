"""What a chat can carry, as data. Service discovery, fallbacks and refusals are all read from the same
value."""

from __future__ import annotations

import enum

import msgspec


class Support(enum.Enum):
    """How a network takes a feature."""

    NATIVE = "native"
    """It has the feature: the session gets the command as it is."""
    TEXT = "text"
    """It has not: the core turns the command into honest text."""
    DROP = "drop"
    """It has not, and nobody misses it (a typing notice): the command is dropped."""
    REFUSE = "refuse"
    """It has not, and pretending would mislead: the sender is told."""


class Capabilities(msgspec.Struct, frozen=True):
    """The capabilities of one chat. The defaults are those of a network that carries text and nothing else.

    `max_text` is the most bytes of UTF-8 that one message may have before the session must be asked to split
    it (0: no limit); `max_body` is where the core refuses a message outright, in bytes.
    """

    reply: Support = Support.TEXT
    reaction: Support = Support.TEXT
    correction: Support = Support.TEXT
    retraction: Support = Support.REFUSE
    receipt: Support = Support.DROP
    marker: Support = Support.DROP
    typing: Support = Support.DROP
    attachment: Support = Support.TEXT
    formatting: Support = Support.TEXT
    subject: Support = Support.TEXT
    max_text: int = 0
    max_body: int = 64 * 1024


class Pace(msgspec.Struct, frozen=True):
    """How fast the core hands messages of one chat to a session: `burst` at once, then `per_second`; 0: as
    fast as `Session.execute` returns."""

    burst: int = 0
    per_second: float = 0.0
