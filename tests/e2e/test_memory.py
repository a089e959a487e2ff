"""What the bridge weighs: idle, and with users in a big room (`docs/performance.md` has the figures)."""

from __future__ import annotations

from bench.figures import IDLE, USER_KIB
from bench.programs import bridge
from bench.scenarios import idle, joining

IDLE_MB = 80
"""Promised to admins. Of one gateway, attached to its server, with archive and store on SQLite."""

USER_MOST = 128
"""For one user with a connection of their own, in a room of 200."""


async def test_idle() -> None:
    figures = await idle(bridge(), archive=True)
    assert figures[IDLE] < IDLE_MB


async def test_users_in_a_room_of_200() -> None:
    figures = await joining(bridge(), archive=False, users=50, others=200)
    assert figures[USER_KIB] < USER_MOST
