"""The bridge is killed again and again while people talk both ways: what it had stored arrives once, what it
cannot know is told, and clients are brought back to their room."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.scene import Scene, until
from tests.peers.bridge import Bridge, BridgeSetup, network, running_bridge
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, presence, statuses
from tests.plug.talk import (
    LIMITS,
    FromIrc,
    FromXmpp,
    arrived,
    doubled,
    failed,
    healthy,
    heard,
    in_order,
    received,
    reflected,
    resident,
    untold,
)

pytestmark = pytest.mark.heavy

_numbers = itertools.count(900)
ROUNDS = 10
SEED = 20
MOST_MB = 160
"""Of a bridge that has just started and brought its clients back."""

IN_FLIGHT = 2
"""Messages that the XMPP server has handed over and the bridge has not stored when it is killed: the protocol
of components (XEP-0114) has no acknowledgement, so that nobody can know of them. At one message in 100 ms
more than these in a round would be a defect."""


@pytest.fixture(scope="module")
def bridge(prosody: Prosody, inspircd: Inspircd) -> Iterator[Bridge]:
    networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    with running_bridge(prosody, BridgeSetup(networks=networks, extra=LIMITS)) as process:
        yield process


@pytest.fixture
async def scene(bridge: Bridge, prosody: Prosody, inspircd: Inspircd) -> AsyncIterator[Scene]:
    scene = Scene(prosody, bridge, inspircd, next(_numbers))
    try:
        yield scene
    finally:
        await scene.close()


def rows(scene: Scene, query: str) -> list[str]:
    with sqlite3.connect(f"file:{scene.bridge.folder / 'bridge.db'}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute(query)]


def comings(client: XmppClient, scene: Scene) -> int:
    return sum(1 for s in client.stanzas if presence(scene.room, "")(s) and 110 in statuses(s))


async def test_killed_again_and_again(scene: Scene) -> None:
    chance = random.Random(SEED)
    alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("carol"))
    await scene.join(alice)
    from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
    from_irc = FromIrc(scene, carol, scene.nick)
    for _ in range(ROUNDS):
        await asyncio.gather(from_xmpp.go_on(chance.randint(1, 60)), from_irc.go_on(chance.randint(1, 60)))
        before = comings(alice, scene)
        await asyncio.to_thread(scene.bridge.kill)
        await asyncio.to_thread(scene.bridge.start)
        await until(lambda: comings(alice, scene) > before, "the way back into the room", 30)  # noqa: B023
    await asyncio.gather(from_xmpp.go_on(20), from_irc.go_on(20))
    await asyncio.gather(from_xmpp.stop(), from_irc.stop())
    await asyncio.gather(arrived(alice, from_irc.room[-1]), arrived(alice, from_irc.direct[-1]))
    open_rows = "SELECT stanza_id FROM {} WHERE state IN ('new', 'trying')"
    await until(lambda: not rows(scene, open_rows.format("inbox")), "all to be settled")
    await until(lambda: not rows(scene, open_rows.format("outbox")), "all to be settled")
    check_to_irc(scene, alice, from_xmpp, heard([bob], "xd"), heard([bob], "xr"))
    check_to_xmpp(scene, alice, carol.nick)
    assert resident(scene.bridge) < MOST_MB
    await healthy(scene, bob)


def check_to_irc(
    scene: Scene, alice: XmppClient, from_xmpp: FromXmpp, private: list[str], public: list[str]
) -> None:
    assert doubled(private) == []
    assert in_order(private)
    stored = set(rows(scene, "SELECT stanza_id FROM outbox"))
    said = from_xmpp.direct
    missing = untold(said, alice, private)
    assert [text for id_, text in said.items() if text in missing and id_ in stored] == []
    assert len(missing) <= IN_FLIGHT * ROUNDS
    assert len(private) >= ROUNDS, "there was something to kill"
    assert doubled(public) == []
    assert in_order(public)
    shown = reflected(alice, scene.room)
    assert [from_xmpp.room[id_] for id_ in shown if from_xmpp.room[id_] not in public] == []
    assert {id_ for id_, text in said.items() if text in private} & failed(alice) <= unknown(alice)


def unknown(alice: XmppClient) -> set[str]:
    """What the user was told may or may not have arrived."""
    errors = (s for s in alice.stanzas if s.name == "message" and s["type"] == "error")
    return {s["id"] for s in errors if "may or may not" in s["error"]["text"]}


def check_to_xmpp(scene: Scene, alice: XmppClient, contact: str) -> None:
    """By the ids that the store has given: what a client shows once by its id came once."""
    stored = rows(scene, "SELECT stanza_id FROM inbox")
    came = [s for s in alice.stanzas if str(s["from"].bare) == scene.puppet(contact)]
    assert {s["id"] for s in came if s["body"].startswith("id ")} == set(stored)
    private = received(alice, scene.puppet(contact), "id")
    assert doubled(private) == []
    assert in_order(private)
    public = received(alice, scene.room, "ir")
    assert doubled(public) == []
    assert in_order(public)
