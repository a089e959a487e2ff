"""Knows what a user is told of the attempts to connect: one that was asked for, or that follows a connection
that broke, as it goes; an automatic retry only once it comes to something new.

A network may be down for days and be tried every few minutes; its user is to read that once."""

from __future__ import annotations

MOST_FAILURES = 5
"""A network that gives another reason each time (an address, a time of day) is not told for ever."""
MOST_TEXTS = 100


class Attempts:
    """The attempts of one account. What is `said` in a quiet one is kept back until its end is known."""

    def __init__(self) -> None:
        self._asked = True
        self._quiet = False
        self._texts: list[str] = []
        self._failures: set[str] = set()

    def asked(self) -> None:
        """Somebody wants to know: how this attempt ends is told, and all of one that has not begun."""
        self._asked = True
        self._failures.clear()

    def begins(self) -> None:
        """Another attempt."""
        self._quiet, self._asked = not self._asked, False
        self._texts.clear()

    def said(self, text: str) -> bool:
        """The network, or the way to it, says something. Returns whether to tell it now."""
        if len(self._texts) < MOST_TEXTS:
            self._texts.append(text)
        return not self._quiet

    def succeeded(self) -> list[str]:
        """It is connected, and a broken connection will be news again. Returns what to tell now."""
        told = self._kept_back()
        self.asked()
        return told

    def failed(self, text: str, kind: str = "", *, answered: bool = False) -> list[str]:
        """It failed for that reason, which is the same as others of its `kind` if it has one. Returns what to
        tell now: nothing for a reason that is known. `answered`: those who wait for it hear the reason
        anyway."""
        self._asked = False
        key = kind or text
        if key in self._failures or len(self._failures) >= MOST_FAILURES:
            return []
        self._failures.add(key)
        named = answered or any(text in said for said in self._texts)
        return self._kept_back() + ([] if named else [f"ERROR: {text}"])

    def _kept_back(self) -> list[str]:
        told = list(self._texts) if self._quiet else []
        self._quiet = False
        self._texts.clear()
        return told
