"""Knows how IRC networks compare names: ISUPPORT CASEMAPPING. Pure; the results are cached and shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

Fold = Callable[[str], str]

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASCII = str.maketrans(_UPPER, _UPPER.lower())
_STRICT = str.maketrans(_UPPER + "[]\\", _UPPER.lower() + "{}|")
_RFC1459 = str.maketrans(_UPPER + "[]\\~", _UPPER.lower() + "{}|^")


@lru_cache(maxsize=32768)
def fold_ascii(name: str) -> str:
    """A name in ASCII lower case, which is also how JIDs carry it."""
    return name.translate(_ASCII)


@lru_cache(maxsize=32768)
def fold_rfc1459(name: str) -> str:
    """`[]\\~` are the capitals of `{}|^`: the default of the protocol."""
    return name.translate(_RFC1459)


@lru_cache(maxsize=4096)
def fold_strict_rfc1459(name: str) -> str:
    """As `rfc1459`, without `~` and `^`."""
    return name.translate(_STRICT)


_FOLDS: dict[str, Fold] = {
    "ascii": fold_ascii,
    "rfc1459": fold_rfc1459,
    "strict-rfc1459": fold_strict_rfc1459,
    "rfc1459-strict": fold_strict_rfc1459,
}


def fold_for(mapping: str) -> Fold:
    """The function for a CASEMAPPING; a mapping that we do not know folds ASCII only, as the rarer
    mistake."""
    return _FOLDS.get(mapping.lower(), fold_ascii)
