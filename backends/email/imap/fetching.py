"""Knows how one mail gets into a file, a piece at a time, so that a large one costs little memory and holds
up nobody else on the connection for long."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import msgspec

from backends.email.imap import mailbox
from backends.email.imap.mailbox import Overview
from backends.email.imap.settings import Settings
from backends.email.imap.shared import SharedLink
from backends.email.imap.trouble import ServerSaidNo
from bridge.api import ConnectionLost

_LARGEST_HEADER = 1024 * 1024
_FOR_NOW = ("UNAVAILABLE", "INUSE", "LIMIT")


class Mail(msgspec.Struct, frozen=True):
    """A mail that came. `path` is the mail as it is (RFC 5322), there until it is dealt with; where it is not
    `complete` it is the header only, or nothing, and `note` says why, for the user.

    `place` is what to store with it: the watcher goes on from there. `uid` is good for this `validity` of
    the mailbox only. `arrived` is when the server got it; `seen`: it was read already, in another program;
    `own`: its author is the mailbox's owner. `message_id` is without angle brackets (empty: it has none).
    """

    path: Path
    place: str
    validity: int
    uid: int
    message_id: str
    arrived: datetime
    size: int
    seen: bool
    own: bool
    complete: bool = True
    note: str = ""


class Fetched(msgspec.Struct, frozen=True):
    """What became of a mail: bytes in the file; whether these are all; if not, why."""

    size: int
    complete: bool = True
    note: str = ""


async def fetch(shared: SharedLink, mail: Overview, path: Path, settings: Settings) -> Fetched | None:
    """Fetch a mail into a file; None: it is gone. Raises `ConnectionLost`, `ProtocolError`."""
    if mail.size > settings.largest:
        return await _header(shared, mail, path, settings, _too_large(mail.size, settings.largest))
    try:
        size = await _section(shared, mail.uid, "", path, settings.piece, settings.largest)
    except ServerSaidNo as error:
        return await _refused(shared, mail, path, settings, error)
    if size is not None and size > settings.largest:
        return await _header(shared, mail, path, settings, _too_large(size, settings.largest))
    if size is None or (size < mail.size and await _is_gone(shared, mail.uid)):
        return None  # deleted on the way, there are servers that send nothing for the rest
    return Fetched(size)


def _too_large(size: int, largest: int) -> str:
    return (
        f"This mail is too large to be shown here ({_megabytes(size)} MB, up to {_megabytes(largest)} MB"
        " can be): look at it in a mail program."
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.3g}"


async def _refused(
    shared: SharedLink, mail: Overview, path: Path, settings: Settings, error: ServerSaidNo
) -> Fetched | None:
    """The server does not give a mail: it is gone, or for now, or for good."""
    if error.code in _FOR_NOW:
        raise ConnectionLost(str(error)) from error
    if await _is_gone(shared, mail.uid):
        return None
    return await _header(shared, mail, path, settings, f"This mail could not be fetched. {error}")


async def _is_gone(shared: SharedLink, uid: int) -> bool:
    async with shared.turn() as link:
        await link.ask_for("NOOP")  # only now may the server tell that mails are gone (RFC 9051 §7.5.1)
        return uid not in await mailbox.search(link, "UID", str(uid))


async def _header(
    shared: SharedLink, mail: Overview, path: Path, settings: Settings, note: str
) -> Fetched | None:
    try:
        size = await _section(shared, mail.uid, "HEADER", path, settings.piece, _LARGEST_HEADER)
    except ServerSaidNo:
        size = 0  # the note says that, and more, already
        await asyncio.to_thread(path.write_bytes, b"")
    return None if size is None else Fetched(size, complete=False, note=note)


async def _section(
    shared: SharedLink, uid: int, section: str, path: Path, piece: int, largest: int
) -> int | None:
    """The bytes written, more than `largest` if there would be more still; None: the mail is gone."""
    size = 0
    with await asyncio.to_thread(path.open, "wb", buffering=0) as file:
        while size <= largest:
            async with shared.turn() as link:
                part = await mailbox.piece(link, uid, section, size, piece)
            if part is None:
                return None
            await asyncio.to_thread(file.write, part)
            size += len(part)
            if len(part) < piece:
                break
    return size
