"""Requests to the listener, signed or not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

from backends.sms.http.signature import sign
from tests.peers.twilio import Account, Called, Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE

IN = f"{EXTERNAL}/us/in"
FIELDS = {"MessageSid": "SM00000001", "From": PHONE, "To": NUMBER, "Body": "hi"}


async def post(provider: Twilio, account: Account, fields: Mapping[str, str], url: str = IN) -> Called:
    """A request as the account's provider signs it."""
    signature = {"X-Twilio-Signature": sign(account.token, url, fields.items())}
    return await provider.post(url, urlencode(fields).encode(), signature)


async def raw(port: int, data: bytes) -> bytes:
    """Send bytes, and read until the other side hangs up (`reset`: rudely)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()
