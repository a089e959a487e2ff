"""Knows how to put a file on the users' own server (XEP-0363), so that their clients can fetch it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from bridge.api import Attachment, TransferFailed
from bridge.core import http_client
from bridge.xmpp.escape import attr
from bridge.xmpp.iqs import IqFailed, Iqs
from bridge.xmpp.jids import escape_local

__all__ = ["Uploads"]

log = logging.getLogger(__name__)

_NS = "urn:xmpp:http:upload:0"
_INFO = "http://jabber.org/protocol/disco#info"
_ITEMS = "http://jabber.org/protocol/disco#items"
_HEADERS = {"authorization", "cookie", "expires"}
"""Those that a slot may ask for (XEP-0363 §5)."""

SECONDS = 300.0
KNOWN_SECONDS = 3600.0
MOST_ITEMS = 50
UNKNOWN_SIZE = 10 * 1024 * 1024


class Wire(Protocol):
    """What is asked of the link."""

    iqs: Iqs


class Service(NamedTuple):
    """An upload service: its JID, and the biggest file it takes, in bytes."""

    jid: str
    max_size: int


class Slot(NamedTuple):
    """Where to put a file, with which HTTP headers, and where it is then."""

    put: str
    headers: dict[str, str]
    get: str


class Place(NamedTuple):
    """Where files are kept. The same server may have other things in other folders, which are not for
    everybody (ejabberd's `/api`, say)."""

    host: str
    port: int
    folder: str


class Uploads:
    """The uploads of one gateway. `server` is the users' domain, `domain` ours. Slots are asked for by an
    address of ours that stands for the user, so that a quota of the service's is each user's own."""

    def __init__(self, wire: Wire, server: str, domain: str) -> None:
        self._wire = wire
        self._server = server
        self._domain = domain
        self._service: Service | None = None
        self._asked_at = -KNOWN_SECONDS
        self._asking = asyncio.Lock()
        self._places: dict[Place, None] = {}

    def keeps(self, url: str) -> bool:
        """Whether it is in a folder where the service was seen to keep files."""
        return _place(url) in self._places

    async def upload(self, user: str, file: Path, name: str, media_type: str) -> Attachment:
        """See `bridge.core.ports.Face.upload`."""
        size = (await asyncio.to_thread(file.stat)).st_size
        service = await self._found()
        if service is None:
            raise TransferFailed("This server has no place for files (XEP-0363).", again=False)
        if size > service.max_size:
            most = service.max_size // 1024
            raise TransferFailed(f"This server takes files of up to {most} KiB.", again=False)
        asker = f"{escape_local(user)}@{self._domain}"
        slot = await self._slot(service, asker, name, size, media_type)
        await _put(slot, file, size, media_type)
        return Attachment(slot.get, name, media_type, size)

    async def learn(self) -> None:
        """Find out where the service keeps files, if there is one."""
        try:
            service = await self._found()
            if service is not None and not self._places:
                await self._slot(service, self._domain, "test.txt", 1, "text/plain")
        except TransferFailed as error:
            log.warning("%s: files can't be shown for now: %s", self._domain, error)
            return
        if service is None:
            log.warning("%s: %s has no place for files (XEP-0363)", self._domain, self._server)

    async def _found(self) -> Service | None:
        """The service, asked for again after a while, or when there was none."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._service is None or now - self._asked_at > KNOWN_SECONDS:
                try:
                    self._service = await self._discover()
                except IqFailed as error:
                    raise TransferFailed(f"The server does not answer: {error}", again=True) from error
                self._asked_at = now
            return self._service

    async def _discover(self) -> Service | None:
        items = await self._request(self._server, f"<query xmlns='{_ITEMS}'/>")
        jids = [found.get("jid") or "" for found in items.iter(f"{{{_ITEMS}}}item")]
        for jid in [self._server, *jids[:MOST_ITEMS]]:
            if not jid or jid == self._domain:
                continue
            try:
                info = await self._request(jid, f"<query xmlns='{_INFO}'/>")
            except IqFailed:
                continue  # one of the other services of that server
            if any(found.get("var") == _NS for found in info.iter(f"{{{_INFO}}}feature")):
                return Service(jid, _max_size(info))
        return None

    async def _slot(self, service: Service, asker: str, name: str, size: int, media_type: str) -> Slot:
        described = f"filename='{attr(name)}' size='{size}' content-type='{attr(media_type)}'"
        asked = f"<request xmlns='{_NS}' {described}/>"
        try:
            answer = await self._wire.iqs.request(service.jid, asker, "get", asked)
        except IqFailed as error:
            if error.condition in ("forbidden", "not-allowed", "not-authorized"):
                log.error(
                    "%s does not let %s upload files: attachments can't be shown. The README says what to "
                    "configure",
                    service.jid,
                    self._domain,
                )
            self._service = None
            again = error.type == "wait"
            raise TransferFailed(f"The server takes no file: {error}", again=again) from error
        slot = _read_slot(answer)
        for url in (slot.put, slot.get):
            self._remember(url)
        return slot

    def _remember(self, url: str) -> None:
        place = _place(url)
        if place is not None:
            self._places[place] = None
        while len(self._places) > 16:
            del self._places[next(iter(self._places))]

    async def _request(self, to: str, payload: str) -> Element:
        return await self._wire.iqs.request(to, self._domain, "get", payload)


def _place(url: str) -> Place | None:
    """The place of a file; None where its path could lead out of its folder, or it is in none."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    names = unquote(parts.path).split("/")
    if not parts.hostname or len(names) < 3 or ".." in names or "\\" in parts.path:
        return None
    return Place(parts.hostname, port, names[1])


def _max_size(info: Element) -> int:
    for field in info.iter("{jabber:x:data}field"):
        if field.get("var") == "max-file-size":
            text = field.findtext("{jabber:x:data}value") or ""
            if text.isdecimal():
                return int(text)
    return UNKNOWN_SIZE


def _read_slot(answer: Element) -> Slot:
    put = answer.find(f"{{{_NS}}}slot/{{{_NS}}}put")
    get = answer.find(f"{{{_NS}}}slot/{{{_NS}}}get")
    urls = [(found.get("url") or "") if found is not None else "" for found in (put, get)]
    if put is None or not all(url.startswith(("https://", "http://")) for url in urls):
        raise TransferFailed("The server's answer names no place for the file.", again=False)
    headers = {}
    for header in put.iter(f"{{{_NS}}}header"):
        name, value = header.get("name") or "", header.text or ""
        if name.lower() in _HEADERS and "\n" not in value and "\r" not in value:
            headers[name] = value
    return Slot(urls[0], headers, urls[1])


async def _put(slot: Slot, file: Path, size: int, media_type: str) -> None:
    await http_client.load()
    import aiohttp  # a whole HTTP client: only where files are shown

    headers = {**slot.headers, "Content-Type": media_type, "Content-Length": str(size)}
    timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=20.0)
    try:
        with file.open("rb") as content:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.put(slot.put, data=content, headers=headers) as response,
            ):
                if response.status not in (200, 201, 204):
                    again = response.status >= 500 or response.status in (408, 429)
                    raise TransferFailed(f"The server's file store answers {response.status}.", again=again)
    except aiohttp.ClientError as error:
        text = f"The server's file store is not to be reached: {str(error) or type(error).__name__}"
        raise TransferFailed(text, again=True) from error
    except TimeoutError as error:
        raise TransferFailed("The server's file store took too long.", again=True) from error
    except ValueError as error:  # from aiohttp: what cannot stand in a header, an address that is none
        raise TransferFailed("The server's answer names no place for the file.", again=False) from error
