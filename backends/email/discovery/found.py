"""What is found out about an address's servers: candidates, best first, and what was tried for that."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from backends.email.values import Security, Server

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+")
_NUMBERS = re.compile(r"[0-9.]+")


class Candidate(msgspec.Struct, frozen=True):
    """A server that may be the one, and the user names to try there, in order. `source` is where it is known
    from, for people. `guessed`: nobody said so. `outside`: it is not in the address's own domain, and only
    DNS, which is easily forged, names it (RFC 6186 §6)."""

    server: Server
    users: tuple[str, ...]
    source: str
    guessed: bool = False
    outside: bool = False


class Found(msgspec.Struct, frozen=True):
    """Candidates for reading (IMAP) and for sending (submission), best first. `tried` says line by line what
    was looked at and what came of it, for people."""

    imap: tuple[Candidate, ...] = ()
    smtp: tuple[Candidate, ...] = ()
    tried: tuple[str, ...] = ()


def merge(parts: Iterable[Found]) -> Found:
    """All together, in the order of the parts; a server is named once for each list, encrypted ones only."""
    parts = list(parts)
    return Found(
        imap=_distinct(each for part in parts for each in part.imap),
        smtp=_distinct(each for part in parts for each in part.smtp),
        tried=tuple(each for part in parts for each in part.tried),
    )


def _distinct(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    chosen: dict[Server, Candidate] = {}
    for each in candidates:
        if each.server.security is not Security.PLAIN:
            chosen.setdefault(each.server, each)
    return tuple(chosen.values())


def is_host(name: str) -> bool:
    """Whether it is a host's name with a domain (lower case), and no number: only such ones are asked."""
    return bool(_HOST.fullmatch(name)) and not _NUMBERS.fullmatch(name)


def is_inside(host: str, domain: str) -> bool:
    """Whether a host belongs to a domain."""
    return host == domain or host.endswith("." + domain)


def domain_of(address: str) -> str:
    """The domain of an address, as DNS knows it (RFC 5891). Raises `ValueError` with a text for people."""
    local, at, domain = address.strip().rpartition("@")
    try:
        encoded = domain.lower().rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        encoded = ""
    if not (local and at and is_host(encoded)):
        raise ValueError(f"{address[:100]!r} is not a mail address")
    return encoded


def usual_users(address: str) -> tuple[str, ...]:
    """The names under which a user may be known where nobody says it (RFC 6186 §4)."""
    return (address, address.rpartition("@")[0])
