"""What users are told while an IRC server is down for longer than a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.scene import Scene, until
from tests.peers.bridge import DOMAIN
from tests.peers.inspircd import Inspircd, running_inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import message, presence


@pytest.fixture(scope="module")
def server(prosody: Prosody) -> Prosody:
    """One XMPP server is enough here."""
    return prosody


@pytest.fixture(scope="module")
def inspircd() -> Iterator[Inspircd]:
    """One of this module's own, since it is killed."""
    with running_inspircd() as irc:
        yield irc


async def test_retries_are_not_told(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    await scene.join(alice)
    await alice.roster()
    alice.send(f"<presence to='{scene.room}' type='subscribe'/>")
    await alice.wait(presence(scene.room, "subscribed"))
    await scene.leave(alice)
    before = len(alice.stanzas)
    ended = scene.bridge.log_text().count("session ended")
    await asyncio.to_thread(scene.irc.kill)
    try:
        await until(lambda: scene.bridge.log_text().count("session ended") >= ended + 4, "some retries", 60.0)
    finally:
        await asyncio.to_thread(scene.irc.start)
    from_network = message(f"tls@{DOMAIN}")
    await alice.wait(lambda s: from_network(s) and s["body"].startswith("Connected to"), 60, "the way back")
    told = [str(one["body"]) for one in alice.stanzas[before:] if from_network(one)]
    told = [text.partition(":")[0] for text in told if text.startswith(("ERROR", "Connect"))]
    assert told == [
        "ERROR",
        "Connecting to localhost",
        "Connection failed",
        "Connecting to localhost",
        "Connected to IRC server (encrypted).",
    ]
