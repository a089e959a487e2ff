"""Marks that the reader of HTML leaves in its text for the rules that cut quotes: private-use characters,
which no other text may contain. Pure."""

from __future__ import annotations

import re

QUOTE = "\ue000"
"""A line of its own: by the mailer's markup all from here on is the mail that is answered."""
ATTRIBUTION = "\ue001"
"""Begins a line that says, by the mailer's markup, who wrote what is quoted next."""
IMAGE, IMAGE_END = "\ue002", "\ue003"
"""Around the number of an inline image that stands here."""

_ANY = re.compile("[\ue000-\ue003]")
_IMAGE = re.compile("\ue002(\\d+)\ue003")
_ALONE = re.compile("^[\ue000]\n?", re.MULTILINE)


def without(text: str) -> str:
    """Text without any mark."""
    return _ANY.sub("", _IMAGE.sub("", _ALONE.sub("", text)))


def images(text: str) -> set[int]:
    """The numbers of the inline images in a text."""
    return {int(number) for number in _IMAGE.findall(text)}
