"""Knows how what leaves the demo is shown in a terminal."""

from __future__ import annotations

from collections.abc import Iterable


def boxed(title: str, lines: Iterable[str]) -> str:
    """A block with a title. Characters that would do something to the terminal are not shown."""
    safe = ["".join(each if each.isprintable() else " " for each in line) for line in lines]
    return "\n".join([f"  {title}:", *(f"  | {line}" for line in safe), ""])
