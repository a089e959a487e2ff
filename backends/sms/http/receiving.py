"""Makes what a provider says (a text that came, what became of one of ours) known to its user."""

from __future__ import annotations

import asyncio
import enum
from datetime import datetime
from functools import lru_cache

import phonenumbers

from backends.sms import addresses
from backends.sms.carrier import Desk
from backends.sms.http import media
from backends.sms.http.client import Client
from backends.sms.http.fields import Fields
from backends.sms.http.line import Line
from backends.sms.http.reasons import failure
from backends.sms.values import Arrived, Report, Verdict
from bridge.api import Attachment, ConnectionLost, ContactId, Host, TransferFailed

CURSOR = "sms http last"
"""Under this the last text's id is saved with the text: what comes with a cursor is not shown before it is
stored (the provider has it, and says it again)."""

_VERDICTS = {
    "delivered": Verdict.DELIVERED,
    "read": Verdict.DELIVERED,
    "undelivered": Verdict.FAILED,
    "failed": Verdict.FAILED,
    "canceled": Verdict.FAILED,
}


class Patience(enum.Enum):
    """What is done with a file that cannot be had now."""

    WAIT = "wait"
    """The text is not taken: it comes again."""
    NOTE = "note"
    """The text is taken, and says so."""


class Nobody(Exception):
    """No account has the number."""


async def take_text(
    line: Line,
    desk: Desk,
    fields: Fields,
    patience: Patience = Patience.WAIT,
    sent_at: datetime | None = None,
) -> None:
    """A text came, just now or at a time that the provider says; returns when it is stored.

    Raises `BadRequest`, `Nobody`, `TransferFailed` (a file cannot be had now), `ConnectionLost` (it cannot be
    stored or passed on now): nothing is lost if the same comes again, and nothing doubled."""
    sid, number = fields.sid(), fields.need("To")
    contact, name = _person(fields.need("From"), number, fields)
    host = await line.holder(desk, number)
    if host is None:
        raise Nobody
    if host.congested:
        raise ConnectionLost("the bridge has more texts than it can pass on")
    files, notes = await _files(line, host, fields, patience)
    arrived = Arrived(
        number=number,
        contact=contact,
        id=line.message_id(sid),
        text="\n".join(filter(None, [fields.get("Body").replace("\0", ""), *notes])),
        name=name,
        sent_at=sent_at,
        attachments=tuple(files),
    )
    await desk.text(host, arrived, cursor=(CURSOR, arrived.id))
    line.saw(sid)


async def take_report(line: Line, desk: Desk, fields: Fields) -> None:
    """What became of a text of ours; returns when it is stored. What says only that it is on its way is not
    passed on. Raises `BadRequest`, `Nobody`, `ConnectionLost`."""
    sid, number = fields.sid(), fields.need("From")
    contact, _ = _person(fields.need("To"), number, fields)
    status = fields.get("MessageStatus") or fields.need("SmsStatus")
    verdict = _VERDICTS.get(status.strip().lower())
    if verdict is None:
        return  # it is on its way
    host = await line.holder(desk, number)
    if host is None:
        raise Nobody
    why = failure(_code(fields), status.strip().lower() == "canceled") if verdict is Verdict.FAILED else ""
    await desk.report(host, Report(line.message_id(sid), contact, verdict, why))


def _code(fields: Fields) -> int:
    text = fields.get("ErrorCode").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _person(text: str, own: str, fields: Fields) -> tuple[ContactId, str]:
    """Who is meant, and how they call themselves. Short codes are of the country of our number."""
    return addresses.from_sender(text, country=_country(own) or fields.get("ToCountry"))


@lru_cache(1024)
def _country(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return ""
    code = parsed.country_code or 0
    return phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(code)


async def _files(
    line: Line, host: Host, fields: Fields, patience: Patience
) -> tuple[list[Attachment], list[str]]:
    """The text's files, and a line about each that cannot be shown. Raises `TransferFailed`."""
    count = _number_of_files(fields)
    files: list[Attachment] = []
    notes = [f"[{count - media.MOST} more files were left out]"] if count > media.MOST else []
    if not count:
        return files, notes
    until = asyncio.get_running_loop().time() + media.SECONDS
    client = Client(line.resolver, line.ca_file)
    try:
        for index in range(min(count, media.MOST)):
            try:
                files.append(await _file(line, host, client, fields, index, until))
            except TransferFailed as error:
                if error.again and patience is Patience.WAIT:
                    raise
                notes.append(f"[a file is missing: {error}]")
    finally:
        await client.close()
    return files, notes


def _number_of_files(fields: Fields) -> int:
    text = fields.get("NumMedia").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0


async def _file(
    line: Line, host: Host, client: Client, fields: Fields, index: int, until: float
) -> Attachment:
    url, media_type = fields.get(f"MediaUrl{index}"), fields.get(f"MediaContentType{index}")
    try:
        async with asyncio.timeout_at(until):
            return await media.bring(host, client, line.access, url, media_type)
    except TimeoutError as error:
        raise TransferFailed("It could not be fetched in time.", again=True) from error
