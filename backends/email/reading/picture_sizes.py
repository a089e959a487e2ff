"""Knows how big the picture in a file is, from its first octets (PNG, GIF, JPEG, BMP). Pure."""

from __future__ import annotations

import struct

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None if it can't be told."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        width, height = struct.unpack("<HH", head[6:10])
        return width, height
    if head.startswith(b"BM") and len(head) >= 26:
        width, height = struct.unpack("<ii", head[18:26])
        return width, abs(height)
    return _jpeg(head) if head.startswith(b"\xff\xd8") else None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """A JPEG says its size in a frame header, after other segments."""
    position = 2
    while position + 9 <= len(head) and head[position] == 0xFF:
        kind = head[position + 1]
        if kind in _JPEG_SIZES:
            height, width = struct.unpack(">HH", head[position + 5 : position + 9])
            return width, height
        position += 2 + max(2, int.from_bytes(head[position + 2 : position + 4], "big"))
    return None
