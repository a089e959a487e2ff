"""Knows MODE: what a mode string changes (by CHANMODES and PREFIX), and which modes give a rank. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from backends.irc.isupport import Isupport
from bridge.api import Rank

_WANTED = {Rank.OWNER: "a", Rank.ADMIN: "o", Rank.MODERATOR: "h", Rank.MEMBER: "v", Rank.NONE: ""}
_REMOVED = {
    Rank.OWNER: "q",
    Rank.ADMIN: "aq",
    Rank.MODERATOR: "oaq",
    Rank.MEMBER: "hoaq",
    Rank.NONE: "vhoaq",
}


class ModeChange(msgspec.Struct, frozen=True):
    """One letter of a MODE line. `argument` is empty for a mode that takes none."""

    adds: bool
    mode: str
    argument: str = ""


def parse_modes(params: Sequence[str], isupport: Isupport) -> Iterator[ModeChange]:
    """The changes of `+ov-k nick nick *`; an argument that the server left out is the empty text."""
    letters, arguments = (params[0] if params else ""), iter(params[1:])
    adds = True
    for letter in letters:
        if letter in "+-":
            adds = letter == "+"
        else:
            takes = _takes_argument(letter, adds, isupport)
            yield ModeChange(adds, letter, next(arguments, "") if takes else "")


def _takes_argument(letter: str, adds: bool, isupport: Isupport) -> bool:
    lists, always, on_set, _flags = isupport.chanmodes
    if letter in isupport.prefix_modes or letter in always or letter in lists:
        return True
    return adds and letter in on_set


def rank_change(nick: str, has: str, rank: Rank, isupport: Isupport) -> list[tuple[str, ...]] | None:
    """The MODE parameters, line by line, that give a rank to `nick`, who has these mode letters:
    `[("+v-o", "N", "N")]`; empty where nothing is to be done, `None` where the server has no such mode."""
    wanted = _WANTED[rank]
    if wanted and wanted not in isupport.prefix_modes:
        return None
    changes = [f"+{wanted}"] if wanted and wanted not in has else []
    changes += [f"-{mode}" for mode in _REMOVED[rank] if mode in has]
    size = max(isupport.modes, 1)
    return [_mode_line(nick, changes[at : at + size]) for at in range(0, len(changes), size)]


def _mode_line(nick: str, changes: Sequence[str]) -> tuple[str, ...]:
    letters = "".join(
        change[1:] if at and change[0] == changes[at - 1][0] else change for at, change in enumerate(changes)
    )
    return (letters, *[nick] * len(changes))
