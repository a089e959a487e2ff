"""Knows what a server says of itself with 005 (RPL_ISUPPORT), and the defaults before it does.

https://modern.ircdocs.horse/#rplisupport-005; a token that makes no sense is left out, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from backends.irc.casemap import Fold, fold_for
from bridge.api import Rank

_HEX = re.compile(r"\\x([0-9A-Fa-f]{2})")
_PREFIX = re.compile(r"\(([^)]*)\)(.*)", re.DOTALL)
_RANKS = {"q": Rank.OWNER, "a": Rank.OWNER, "o": Rank.ADMIN, "h": Rank.MODERATOR, "v": Rank.MEMBER}
_NICK_CHARACTERS = re.compile(r"[A-Za-z0-9\[\]\\`_^{|}\-%:@/ ]")


class Isupport:
    """The limits and letters of one server.

    `prefix_modes` are the mode letters of occupants, highest first (`qaohv`), `prefix_marks` their marks in
    names (`~&@%+`). `chanmodes` are the four groups of CHANMODES. Lengths are 0 where the server gave none.
    """

    def __init__(self) -> None:
        self.prefix_modes = "ov"
        self.prefix_marks = "@+"
        self.chanmodes: tuple[str, str, str, str] = ("beI", "k", "l", "")
        self.chantypes = "#&"
        self.statusmsg = ""
        self.casemapping = "rfc1459"
        self.fold: Fold = fold_for("rfc1459")
        self.network = ""
        self.nicklen = 0
        self.channellen = 0
        self.topiclen = 0
        self.linelen = 512
        self.modes = 3

    def learn(self, tokens: Sequence[str]) -> None:
        """Take the tokens of one 005 line (without our nick and the closing text)."""
        for token in tokens:
            name, _, value = token.partition("=")
            if name[:1] == "-":
                self._take(name[1:], "", taken_back=True)
            else:
                self._take(name, _HEX.sub(_character, value), taken_back=False)

    def _take(self, name: str, value: str, *, taken_back: bool) -> None:
        if name in _NUMBERS:
            default = getattr(Isupport(), _NUMBERS[name]) if taken_back else getattr(self, _NUMBERS[name])
            setattr(self, _NUMBERS[name], _number(value, default))
        elif taken_back:
            return
        elif name == "PREFIX":
            self._take_prefix(value)
        elif name == "CHANMODES":
            groups = value.split(",")
            if len(groups) >= 4:
                self.chanmodes = (groups[0], groups[1], groups[2], groups[3])
        elif name == "CASEMAPPING":
            self.casemapping, self.fold = value.lower(), fold_for(value)
        elif name == "NETWORK":
            self.network = value
        elif name == "STATUSMSG":
            self.statusmsg = value
        elif name == "CHANTYPES" and not _NICK_CHARACTERS.search(value):
            # A server that calls letters channel types would turn nicks into rooms.
            self.chantypes = value

    def _take_prefix(self, value: str) -> None:
        found = _PREFIX.fullmatch(value)
        if found is not None and len(found[1]) == len(found[2]):
            self.prefix_modes, self.prefix_marks = found[1], found[2]
        elif not value:
            self.prefix_modes = self.prefix_marks = ""

    def is_channel(self, name: str) -> bool:
        """Whether a name is a channel's here."""
        return name[:1] in self.chantypes if name else False

    def sort_modes(self, letters: set[str]) -> str:
        """Occupant modes in the server's order, highest first."""
        return "".join(mode for mode in self.prefix_modes if mode in letters)

    def split_marks(self, entry: str) -> tuple[str, str]:
        """A NAMES entry (`@+nick`) as (mode letters highest first, the rest)."""
        return split_marks(entry, self.prefix_marks, self.prefix_modes)


def split_marks(entry: str, marks: str, letters: str) -> tuple[str, str]:
    """The same with these marks and the mode letters that they stand for."""
    end = 0
    while end < len(entry) and entry[end] in marks:
        end += 1
    held = {letters[marks.index(mark)] for mark in entry[:end]}
    return "".join(letter for letter in letters if letter in held), entry[end:]


_NUMBERS = {
    "NICKLEN": "nicklen",
    "CHANNELLEN": "channellen",
    "TOPICLEN": "topiclen",
    "LINELEN": "linelen",
    "MODES": "modes",
}


def rank_of(modes: str) -> Rank:
    """The rank of somebody with these mode letters: the highest counts."""
    return max((_RANKS.get(mode, Rank.NONE) for mode in modes), default=Rank.NONE) if modes else Rank.NONE


def _number(value: str, default: int) -> int:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else default


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
