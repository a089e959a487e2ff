"""Decides which inline images of a mail are worth showing as files.

Not shown: spacers and tracking pixels (a side of at most 3 pixels, or both of at most 32), images that only
what was cut refers to (a quote, a signature), and small logos that a text refers to (under 12 kB and at most
120 pixels high and, if known, not nearly square or at most 64 high)."""

from __future__ import annotations

from typing import BinaryIO

from backends.email.reading import picture_sizes, transfer
from backends.email.reading.structure import Part

_HEAD = 64 * 1024
_LOGO_OCTETS, _LOGO_HEIGHT, _ICON_HEIGHT = 12_000, 120, 64
_SPACER, _ICON = 3, 32


def is_worth_showing(file: BinaryIO, part: Part, *, shown: bool | None) -> bool:
    """Whether an image is one that a person sent. `shown`: the text that is left refers to it, or only the
    part that was cut (False), or no text does (None)."""
    if shown is False:
        return False
    head, complete = transfer.head(file, part, _HEAD)
    size = picture_sizes.size(head)
    if size is not None and (min(size) <= _SPACER or max(size) <= _ICON):
        return False
    return not (shown and complete and len(head) < _LOGO_OCTETS and _is_logo(size))


def _is_logo(size: tuple[int, int] | None) -> bool:
    if size is None:
        return False
    width, height = size
    return height <= _ICON_HEIGHT or (height <= _LOGO_HEIGHT and width >= 2 * height)
