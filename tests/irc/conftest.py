"""Fixtures of the IRC tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.irc.recording_host import Driven, driven, options_for
from tests.irc.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that says what the test tells it."""
    async with scripted_server() as script:
        yield script


@pytest.fixture
async def me(server: ScriptedServer) -> AsyncIterator[Driven]:
    """A session that is connected to it as `alice`."""
    async with driven(options_for(server.port, answer_timeout=5.0)) as session:
        await session.connected()
        yield session
