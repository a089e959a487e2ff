"""Knows how to make a file name that a stranger chose safe to show, to upload and to save. Pure."""

from __future__ import annotations

import mimetypes
import re
import unicodedata

LONGEST = 120
"""Octets of a name in UTF-8."""

_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f<>:"|?*\\/\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]'
)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}$")


def safe(name: str, media_type: str = "", otherwise: str = "attachment") -> str:
    """A name without folders, controls, letters that turn text around, and at most `LONGEST` octets; its
    extension is kept, or made from the media type where there is none."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = " ".join(_UNSAFE.sub("_", name).split()).strip(". ")
    if not name.strip("_. "):
        name = otherwise
    if _RESERVED.match(name):
        name = f"_{name}"
    found = _EXTENSION.search(name)
    extension = found[0] if found else (mimetypes.guess_extension(media_type, strict=False) or "")
    stem = name[: -len(extension)] if found else name
    return _shortened(stem, LONGEST - len(extension)) + extension


def media_type(name: str) -> str:
    """What a file most likely is, by its name's extension."""
    extension = _EXTENSION.search(name)
    return mimetypes.types_map.get(extension[0].lower() if extension else "", "application/octet-stream")


def _shortened(text: str, octets: int) -> str:
    return text.encode("utf-8")[:octets].decode("utf-8", "ignore").strip()
