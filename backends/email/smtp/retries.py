"""Knows when a mail that could not be handed over is tried again, and when that is given up (RFC 5321
§4.5.4.1). Pure."""

from __future__ import annotations

import re

import msgspec

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

PAUSES = (1 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR)
"""Seconds after the first, second, ... attempt; the last goes on. The first are short: they are what gets a
mail past greylisting, and over the restart of a server."""

SOON = (5.0, 15.0, 30.0)
"""Seconds after the first attempts that did not come as far as the mail: a server that is started again, say.
Nobody's patience is tried by that, and somebody in a chat waits."""

GIVE_UP = 5 * DAY
WARN_AFTER = (4 * HOUR, 1 * DAY, 3 * DAY)
"""How long a mail has waited when its sender is told that it still does."""

_GREY = re.compile(r"gr[ae]y[ -]?list|try again (?:in|after)|retry (?:in|after)|come back (?:in|after)", re.I)
_WAIT = re.compile(r"\b(\d{1,5})\s*(s|sec|secs|second|seconds|m|min|mins|minute|minutes)\b", re.I)
_CLOCK = re.compile(r"\b(\d{2}):(\d{2}):(\d{2})\b")


class Verdict(msgspec.Struct, frozen=True):
    """Whether to go on. `warning` is a text for the sender, empty where there is nothing to say now."""

    give_up: bool
    warning: str = ""


def pause(attempts: int, jitter: float = 0.5) -> float:
    """Seconds to wait after so many attempts (1 or more). `jitter` is a random number from 0 to 1: it
    spreads the pause by a tenth each way."""
    step = PAUSES[min(max(attempts, 1), len(PAUSES)) - 1]
    return step * (0.9 + 0.2 * jitter)


def soon(attempts: int, jitter: float = 0.5) -> float:
    """As `pause`, where the server was not even asked to take the mail."""
    if attempts > len(SOON):
        return pause(attempts - len(SOON), jitter)
    return SOON[max(attempts, 1) - 1] * (0.9 + 0.2 * jitter)


def greylisted(words: str) -> bool:
    """Whether a server's 4xx says that it wants the mail again a little later (RFC 6647)."""
    return _GREY.search(words) is not None


def wanted_pause(words: str) -> float | None:
    """The seconds that a server's words ask to wait, if they name a time of an hour or less. Some seconds
    are added: their clock is not ours."""
    if not greylisted(words):
        return None
    if found := _WAIT.search(words):
        seconds = float(found[1]) * (MINUTE if found[2].lower().startswith("m") else 1.0)
    elif found := _CLOCK.search(words):
        seconds = int(found[1]) * HOUR + int(found[2]) * MINUTE + int(found[3])
    else:
        return None
    return seconds + 5.0 if 0 < seconds <= HOUR else None


def judge(first_try: float, now: float, attempts: int, last_try: float | None = None) -> Verdict:
    """What to do with a mail first tried at `first_try` (seconds of any clock) that failed at `now`, after
    so many attempts. A mail is never given up at its first attempt, however long it waited before. With
    `last_try` (the attempt before this one) the warning comes once for each step of `WARN_AFTER`."""
    waited = now - first_try
    if waited >= GIVE_UP and attempts > 1:
        return Verdict(True, f"It was tried for {in_words(waited)}.")
    before = first_try if last_try is None else last_try
    if any(before - first_try < step <= waited for step in WARN_AFTER):
        return Verdict(
            False,
            f"Still not delivered after {in_words(waited)}; it is tried until {in_words(GIVE_UP)} are over.",
        )
    return Verdict(False)


def in_words(seconds: float) -> str:
    """A time for people: `4 hours`, `3 days`."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= (unit if unit < DAY else 2 * unit):
            count = int(seconds // unit)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"
