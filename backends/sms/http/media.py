"""Brings the files of a text from the provider to where the user's clients find them."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from backends.sms.http.access import Access
from backends.sms.http.client import Client, is_name, trouble
from bridge.api import Attachment, Host, TransferFailed

LARGEST = 10 * 1024 * 1024
MOST = 10
SECONDS = 10.0
"""For all files of a text: a provider waits 15 s for its answer."""

_MOST_REDIRECTS = 3
_PASSING = frozenset({404, 408, 425, 429})
"""404: Twilio may announce a file some seconds before it can be had."""


async def bring(host: Host, client: Client, access: Access, url: str, media_type: str) -> Attachment:
    """Fetch a file and upload it. Raises `TransferFailed`, which says whether it may work later."""
    # Made and removed here, not in a thread: who is cancelled while a thread makes it leaves it behind.
    with tempfile.TemporaryDirectory(prefix="xmpp-bridge-mms-") as folder:
        file = Path(folder) / "file"
        found = await _fetch(client, access, url, file)
        kind = media_type or found or "application/octet-stream"
        return await host.upload(file, _name(url, kind), kind)


async def _fetch(client: Client, access: Access, url: str, file: Path) -> str:
    """Returns the media type that the server gives."""
    session = await client.session()
    import aiohttp

    try:
        return await _follow(session, access, url, file)
    except aiohttp.ClientConnectorCertificateError as error:
        raise TransferFailed(f"The file's server: {trouble(error)}.", again=False) from error
    except aiohttp.InvalidURL as error:
        raise TransferFailed("The file's address is none.", again=False) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TransferFailed(f"The file's server: {trouble(error)}.", again=True) from error
    except OSError as error:
        raise TransferFailed("There is no room for the file now.", again=True) from error


async def _follow(session: Any, access: Access, url: str, file: Path) -> str:
    import aiohttp

    for _ in range(_MOST_REDIRECTS + 1):
        if not is_name(url):
            raise TransferFailed("The file's address is not one that can be fetched.", again=False)
        login = {"Authorization": aiohttp.encode_basic_auth(access.sid, access.token)}
        headers = login if _is_theirs(access, url) else {}
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                url = urljoin(url, response.headers["Location"])
                continue
            if response.status != 200:
                again = response.status >= 500 or response.status in _PASSING
                raise TransferFailed(f"The file's server answers {response.status}.", again=again)
            await _save(response, file)
            return str(response.content_type)
    raise TransferFailed("The file's address leads round in circles.", again=False)


def _is_theirs(access: Access, url: str) -> bool:
    """Whether the login may be shown there: only to the host that we ask anyway, or another one of Twilio's
    interfaces."""
    api, there = urlsplit(access.api), urlsplit(url)
    if (api.hostname, api.port or 443) == (there.hostname, there.port or 443):
        return True
    return all((each.hostname or "").endswith(".twilio.com") and not each.port for each in (api, there))


async def _save(response: Any, file: Path) -> None:
    too_big = f"The file is bigger than {LARGEST // (1024 * 1024)} MiB."
    if (response.content_length or 0) > LARGEST:
        raise TransferFailed(too_big, again=False)
    size = 0
    with file.open("wb") as out:
        async for chunk in response.content.iter_chunked(64 * 1024):
            size += len(chunk)
            if size > LARGEST:
                raise TransferFailed(too_big, again=False)
            await asyncio.to_thread(out.write, chunk)


def _name(url: str, media_type: str) -> str:
    """The last part of the address, with the ending that fits the type."""
    last = re.sub(r"[^A-Za-z0-9._-]", "", urlsplit(url).path.rpartition("/")[2])[-60:].strip(".") or "file"
    ending = mimetypes.guess_extension(media_type.partition(";")[0].strip()) or ""
    return last if last.lower().endswith(ending) else f"{last}{ending}"
