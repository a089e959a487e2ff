"""The times and sizes that the IMAP side keeps to."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes.

    `connect`: for one address, TLS included. `answer`: for each command, and for each piece of a mail that
    is sent. `idle`: after that time IDLE is begun anew (RFC 2177 wants less than 29 minutes, routers that
    forget connections want less). `poll`: between looks where the server has no IDLE. `piece`: a mail is
    fetched in pieces of that size. `largest`: of a larger mail only the header is fetched. `backfill`: so
    many mails that are there already are taken at the very first login.
    """

    connect: float = 20.0
    answer: float = 60.0
    idle: float = 540.0
    poll: float = 60.0
    piece: int = 256 * 1024
    largest: int = 50 * 1024 * 1024
    backfill: int = 0
