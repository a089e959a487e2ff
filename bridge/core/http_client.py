"""Knows how the HTTP client is loaded: only where files go to and fro, and not on the event loop, which it
would hold up for a tenth of a second."""

from __future__ import annotations

import asyncio
import importlib
import mimetypes


async def load() -> None:
    """After this `import aiohttp`, and with it `bridge.core.download`, takes no time."""
    await asyncio.to_thread(_load)


def _load() -> None:
    importlib.import_module("aiohttp")
    if not mimetypes.inited:
        mimetypes.init()
