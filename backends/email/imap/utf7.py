"""Knows how mailbox names are written: modified UTF-7 (RFC 3501 §5.1.3)."""

from __future__ import annotations

import base64
import binascii
import re

_OUTSIDE = re.compile(r"[^\x20-\x7e]+")
_SHIFTED = re.compile(r"&([^-]*)-")


def encode(name: str) -> str:
    """A mailbox name in the letters of IMAP (printable ASCII)."""
    return _OUTSIDE.sub(_shift, name.replace("&", "&-"))


def decode(name: str) -> str:
    """A mailbox name for people. What is not modified UTF-7 stays as it is: a name never fails."""
    return _SHIFTED.sub(_unshift, name)


def _shift(found: re.Match[str]) -> str:
    coded = base64.b64encode(found[0].encode("utf-16-be", "surrogatepass")).decode("ascii")
    return "&" + coded.rstrip("=").replace("/", ",") + "-"


def _unshift(found: re.Match[str]) -> str:
    if not found[1]:
        return "&"
    coded = found[1].replace(",", "/")
    try:
        return base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True).decode("utf-16-be")
    except (binascii.Error, ValueError):
        return found[0]
