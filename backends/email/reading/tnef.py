"""Knows winmail.dat (TNEF, what Outlook sends to those it takes for Outlook): the files in it, and its
text."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

LONGEST = 8 * 1024 * 1024
"""Octets: the library holds several copies at once."""

MOST_FILES = 50


class Unpacked:
    """What was in it. `text` is plain text, `html` is HTML; either may be empty."""

    def __init__(self, files: list[tuple[str, bytes]], text: str, html: str) -> None:
        self.files, self.text, self.html = files, text, html


def unpack(data: bytes) -> Unpacked | None:
    """The contents of a winmail.dat; None if it can't be read."""
    from tnefparse import TNEF

    logging.getLogger("tnefparse").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = TNEF(data, do_checksum=False)
            files = list(_files(found))
            return Unpacked(files, _as_text(found.body), _as_text(found.htmlbody))
    except Exception:  # noqa: BLE001  # it raises whatever its arithmetic on broken input leads to
        return None


def _files(found: Any) -> Iterator[tuple[str, bytes]]:
    for attachment in found.attachments[:MOST_FILES]:
        data = attachment.data
        if isinstance(data, list):
            data = b"".join(each for each in data if isinstance(each, bytes))
        if isinstance(data, bytes) and data:
            yield _as_text(attachment.long_filename()).strip("\x00"), data


def _as_text(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        from backends.email.reading import charsets

        return charsets.decode(value)
    return value.replace("\r\n", "\n").replace("\x00", "") if isinstance(value, str) else ""
