"""Fetches the texts that came while the provider could not reach us.

A provider calls a webhook for some seconds and then no more; what came while the bridge was down, or its
database was out, is only in the provider's list of messages (Twilio's Messages resource, "read multiple"). It
is looked through now and then. What was taken before is known by its id."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from backends.sms.carrier import Desk
from backends.sms.http.access import Access
from backends.sms.http.fields import BadRequest, Fields
from backends.sms.http.line import Line
from backends.sms.http.receiving import Nobody, Patience, take_text
from backends.sms.http.rest import VERSION, NoAnswer, NotReached, Rest
from bridge.api import ConnectionLost, Host, TransferFailed

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=24)
"""How old a text may be that is still brought, after the bridge was down."""
OVERLAP = timedelta(minutes=15)
"""Of the looks: a list may have a text later than its date says."""
SETTLED = timedelta(seconds=20)
"""How old a text is when its webhook is certainly over."""
PATIENT = timedelta(minutes=10)
"""How old a text is when it is brought without a file that still cannot be had."""
EVERY_SECONDS = 300.0
PAGE, PAGES = 200, 50


class Unread(Exception):
    """The provider's list could not be read; the text says why."""


class Gone(Unread):
    """The provider has no such list (any more)."""


async def begin(host: Host, number: str) -> None:
    """An account holds a number from now on, or has held it: texts from before that are not for it. Call it
    whenever the account's session starts. Raises `ConnectionLost` while the database is out."""
    await _since(host, number)


async def _since(host: Host, number: str) -> datetime:
    name = f"sms http since {number}"
    known = await host.cursor(name)
    if known:
        return datetime.fromisoformat(known)
    now = datetime.now(UTC).replace(microsecond=0)  # the provider's dates have whole seconds
    await host.save(name, now.isoformat())
    return now


class Missed:
    """The looking of one account with a provider."""

    def __init__(self, line: Line, rest: Rest) -> None:
        self._line = line
        self._rest = rest
        self._looked: datetime | None = None

    async def run(self, desk: Desk) -> None:
        """Look at once, and again and again, until cancelled."""
        while True:
            try:
                await self.look(desk)
            except (Unread, ConnectionLost, TransferFailed) as error:
                log.warning("%s: missed texts cannot be looked for now: %s", self._line.name, error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._line.trouble.wait()
                self._line.trouble.clear()
                await asyncio.sleep(SETTLED.total_seconds())

    async def look(self, desk: Desk) -> None:
        """Bring what was missed, oldest first. Raises `Unread`, and what `take_text` does: then the next look
        begins where this one did."""
        began = datetime.now(UTC)
        since = max(began - LOOK_BACK, (self._looked or began - LOOK_BACK) - OVERLAP)
        for message in reversed(await self._listed(since)):
            await self._bring(desk, message, began)
        self._looked = began

    async def _listed(self, since: datetime) -> list[Mapping[str, Any]]:
        """Unseen texts to us, newest first."""
        query = {"PageSize": str(PAGE), "DateSent>": since.date().isoformat()}
        if self._line.number:
            query["To"] = self._line.number
        found: list[Mapping[str, Any]] = []
        for _ in range(PAGES):
            page, following = await self._page(query)
            found += [each for each in page if self._is_news(each, since)]
            if not following or (page and _date(page[-1]) < since):
                return found
            query = dict(parse_qsl(urlsplit(following).query))
        log.warning("%s: there are more texts than are looked through", self._line.name)
        return found

    async def _page(self, query: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str]:
        body = await self._read("/Messages.json", query)
        messages, following = body.get("messages"), body.get("next_page_uri")
        known = messages if isinstance(messages, list) else []
        return [each for each in known if isinstance(each, dict)], following if isinstance(
            following, str
        ) else ""

    async def _read(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        try:
            reply = await self._rest.get(path, query)
        except (NotReached, NoAnswer) as error:
            raise Unread(f"the provider cannot be reached: {error}") from error
        if reply.status in (404, 410):
            raise Gone(f"the provider answers {reply.status}: {reply.message}")
        if not reply.ok:
            raise Unread(f"the provider answers {reply.status}: {reply.message}")
        return reply.body

    def _is_news(self, message: Mapping[str, Any], since: datetime) -> bool:
        return (
            message.get("direction") == "inbound"
            and str(message.get("sid")) not in self._line.seen
            and _date(message) >= since
        )

    async def _bring(self, desk: Desk, message: Mapping[str, Any], now: datetime) -> None:
        """One text. It is not seen before that is done."""
        sent_at = _date(message)
        if now - sent_at < SETTLED:
            self._line.trouble.set()  # its webhook may still come; whether it has is looked at soon
            return
        number = str(message.get("to"))
        host = await self._line.holder(desk, number)
        if host is not None and sent_at >= await _since(host, number):
            fields = _fields(message, await self._files(message))
            patience = Patience.WAIT if now - sent_at < PATIENT else Patience.NOTE
            try:
                await take_text(self._line, desk, fields, patience, sent_at)
            except (BadRequest, Nobody) as error:
                log.info("%s: a text in the provider's list is passed over: %s", self._line.name, error)
            except TransferFailed as error:
                log.info("%s: a text waits for its file: %s", self._line.name, error)
                return
        self._line.saw(str(message.get("sid")))

    async def _files(self, message: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The (address, media type) of each of a text's files (Media subresource)."""
        if str(message.get("num_media") or "0") == "0":
            return []
        try:
            body = await self._read(f"/Messages/{message.get('sid')}/Media.json")
        except Gone:
            return [("", "")]  # the text comes with a word on what it lacks, and stands in no other's way
        listed = body.get("media_list")
        files = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        access = self._line.access
        return [
            (_address(access, str(each.get("uri"))), str(each.get("content_type") or "")) for each in files
        ]


def _address(access: Access, uri: str) -> str:
    """Where a file is: `uri` is a path that may, or may not, begin with that of the interface."""
    path = uri[uri.find(f"/{VERSION}/") :].removesuffix(".json")
    return f"{access.api}{path}"


def _fields(message: Mapping[str, Any], files: list[tuple[str, str]]) -> Fields:
    """A message of the list as its webhook would have said it."""
    pairs = [
        ("MessageSid", str(message.get("sid"))),
        ("From", str(message.get("from") or "")),
        ("To", str(message.get("to") or "")),
        ("Body", str(message.get("body") or "")),
        ("NumMedia", str(len(files))),
    ]
    for index, (url, media_type) in enumerate(files):
        pairs += [(f"MediaUrl{index}", url), (f"MediaContentType{index}", media_type)]
    return Fields(pairs)


def _date(message: Mapping[str, Any]) -> datetime:
    """When it came; long ago where it cannot be read (RFC 5322 dates; SignalWire: the same)."""
    text = message.get("date_sent") or message.get("date_created")
    try:
        found = email.utils.parsedate_to_datetime(str(text))
    except (ValueError, TypeError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
