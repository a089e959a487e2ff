"""Knows the commands on a mailbox (RFC 9051 §6.3.2, §6.4): what is in it, and its mails piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.parser import BytesHeaderParser
from email.utils import parseaddr, parsedate_to_datetime

import msgspec

from backends.email.imap import syntax
from backends.email.imap.link import Link
from backends.email.imap.reading import Response
from bridge.api import ConnectionLost, ProtocolError

_OVERVIEW = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID FROM DATE)])"
_LONGEST_ID = 998
"""Bytes: a line of a mail (RFC 5322 §2.1.1)."""
_LARGEST_FIELDS = 16 * 1024


class Opened(msgspec.Struct, frozen=True):
    """A mailbox that is selected. A mail's UID means something only together with `validity`; `next_uid` is
    above all UIDs that there are (0: the server does not say)."""

    validity: int
    next_uid: int
    exists: int


class Overview(msgspec.Struct, frozen=True):
    """What is known of a mail before it is fetched. `size` is in bytes, as the server thinks; `arrived` is
    when it came into the mailbox, `sent` when it says that it was sent; `sender` is the author's address."""

    uid: int
    size: int
    arrived: datetime
    flags: frozenset[str] = frozenset()
    message_id: str = ""
    sender: str = ""
    sent: datetime | None = None


async def select(link: Link, name: str, *, read_only: bool = False) -> Opened:
    """Open a mailbox. Raises `ServerSaidNo` where there is none."""
    link.wire.exists = 0
    responses = await link.ask_for("EXAMINE" if read_only else "SELECT", syntax.mailbox(name))
    link.wire.state = "SELECTED"
    codes = {"UIDVALIDITY": 0, "UIDNEXT": 0}
    for response in responses:
        found = syntax.status(response[0])
        word, _, value = (found[1].code if found else "").partition(" ")
        if word in codes and value.isdigit() and len(value) < 12:
            codes[word] = int(value)
    return Opened(codes["UIDVALIDITY"], codes["UIDNEXT"], link.wire.exists)


async def search(link: Link, *criteria: str) -> list[int]:
    """The UIDs of mails, in order (RFC 9051 §6.4.4). The criteria are in ASCII, so no charset is named: some
    servers refuse any."""
    found: set[int] = set()
    for response in await link.ask_for("SEARCH", *criteria, uid=True):
        found.update(syntax.searched(response) or ())
    return sorted(found)


def since(day: date) -> str:
    """The criterion for mails that came on that day or later."""
    return f"SINCE {day.day}-{syntax.MONTHS[day.month - 1]}-{day.year}"


async def overviews(link: Link, mails: str, *, uid: bool = True) -> list[Overview]:
    """What is known of mails, by UID; those that are gone are not in it. `mails` is a set of UIDs, or of
    numbers in the mailbox."""
    responses = await link.ask_for("FETCH", mails, _OVERVIEW, uid=uid)
    found = {each.uid: each for each in map(_overview, fetched(responses)) if each is not None}
    return [found[each] for each in sorted(found)]


async def piece(link: Link, uid: int, section: str, offset: int, size: int) -> bytes | None:
    """A piece of a mail (RFC 9051 §6.4.5), without marking it as seen; shorter than asked where the mail
    ends. `section`: "" for all of it. None: the mail is gone."""
    what = f"(UID BODY.PEEK[{section}]<{offset}.{size}>)"
    for items in fetched(await link.ask_for("FETCH", str(uid), what, uid=True)):
        if syntax.number(items.get("UID")) == uid and f"BODY[{section}]" in items:
            found = items[f"BODY[{section}]"] or b""
            if not isinstance(found, bytes) or len(found) > size:
                raise ProtocolError(f"{link.wire.where} sent something else than a piece of a mail")
            return found
    return None


def fetched(responses: Iterable[Response]) -> Iterable[Mapping[str, syntax.Value]]:
    """The items of each answer to FETCH; other responses that came between are none of ours."""
    for response in responses:
        if response[0].split(None, 3)[2:3] and response[0].split(None, 3)[2].upper() == b"FETCH":
            values = syntax.values(response)
            if len(values) == 3 and isinstance(values[2], list):
                yield syntax.pairs(values[2])


def _overview(items: Mapping[str, syntax.Value]) -> Overview | None:
    uid, arrived = syntax.number(items.get("UID")), syntax.moment(items.get("INTERNALDATE"))
    if not uid or "INTERNALDATE" not in items:
        return None  # flags that somebody changed
    flags = items.get("FLAGS")
    header = next((value for name, value in items.items() if name.startswith("BODY[")), None)
    return _with_header(
        Overview(
            uid=uid,
            size=syntax.number(items.get("RFC822.SIZE")) or 0,
            arrived=arrived or datetime.now(UTC),
            flags=frozenset(syntax.words(each).lower() for each in flags or () if isinstance(each, bytes))
            if isinstance(flags, list)
            else frozenset(),
        ),
        header if isinstance(header, bytes) else b"",
    )


def _with_header(overview: Overview, header: bytes) -> Overview:
    fields = BytesHeaderParser().parsebytes(header[:_LARGEST_FIELDS])
    message_id = str(fields.get("Message-ID", "")).strip().strip("<>")
    return msgspec.structs.replace(
        overview,
        message_id="".join(message_id.split())[:_LONGEST_ID],
        sender=parseaddr(str(fields.get("From", "")))[1].lower(),
        sent=_sent(str(fields.get("Date", ""))),
    )


def _sent(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def store_flag(link: Link, uids: Sequence[int], flag: str) -> None:
    """Set a flag on mails; those that are gone do not matter."""
    await link.ask_for("STORE", syntax.sequence(uids), "+FLAGS.SILENT", f"({flag})", uid=True)


async def find_id(link: Link, message_id: str) -> list[int]:
    """The UIDs of the mails with this Message-ID in the mailbox. A strange one is never found."""
    argument = syntax.quoted(f"<{message_id}>")
    return await search(link, "HEADER", "Message-ID", argument) if argument and message_id else []


async def last_uid(link: Link, opened: Opened) -> int:
    """The highest UID that was given to a mail when the mailbox was opened."""
    if opened.next_uid:
        return opened.next_uid - 1
    if not opened.exists:
        return 0
    found = await search(link, "*")
    if not found:
        raise ConnectionLost(f"{link.wire.where} does not tell which mails there are")
    return found[-1]
