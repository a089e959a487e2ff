"""The database goes away while people talk both ways, and comes back: talk goes on, what could not be kept is
told, what was kept arrives once, and nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.scene import Scene, archive, until
from tests.peers.bridge import Bridge, BridgeSetup, network, running_bridge
from tests.peers.inspircd import Inspircd
from tests.peers.irc_client import IrcClient
from tests.peers.postgres import Postgres, running_cluster
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, message
from tests.plug.outages import (
    Outage,
    PostgresFrozen,
    PostgresKilled,
    SqliteLocked,
    backends,
    small_disk,
)
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
    resident,
    untold,
)

pytestmark = pytest.mark.heavy

_numbers = itertools.count(800)
GROWTH_MB = 60
LOST = "the database takes no rows"
BACK = "the database takes rows again"
MAM = "<query xmlns='urn:xmpp:mam:2'/>"


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """One of this module's own, since it is killed."""
    with running_cluster() as server:
        yield server


@contextlib.asynccontextmanager
async def stage(prosody: Prosody, inspircd: Inspircd, setup: BridgeSetup) -> AsyncIterator[Scene]:
    setup.networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    setup.extra = LIMITS
    with running_bridge(prosody, setup) as bridge:
        scene = Scene(prosody, bridge, inspircd, next(_numbers))
        try:
            yield scene
        finally:
            await scene.close()


@pytest.fixture(params=["sqlite locked", "disk full", "postgres killed", "postgres frozen"])
async def outage(
    request: pytest.FixtureRequest, prosody: Prosody, inspircd: Inspircd
) -> AsyncIterator[tuple[Scene, Outage]]:
    """A bridge on a store of its own, and what takes that away."""
    setup = BridgeSetup(networks="")
    taker: Outage
    with contextlib.ExitStack() as stack:
        if request.param.startswith("postgres"):
            postgres: Postgres = request.getfixturevalue("own_postgres")
            setup.store_url = postgres.create_database(request.param.replace(" ", "_"))
            taker = PostgresKilled(postgres) if "killed" in request.param else PostgresFrozen(postgres)
        elif request.param == "disk full":
            setup.data_dir, taker = stack.enter_context(small_disk(16))
        else:
            taker = SqliteLocked()
        async with stage(prosody, inspircd, setup) as scene:
            yield scene, taker


def times(bridge: Bridge, text: str) -> int:
    return bridge.log_text().count(text)


async def rooms_go_on(scene: Scene, alice: XmppClient, bob: IrcClient) -> None:
    bob.say(scene.channel, "heard all the same")
    bob.say(scene.nick, "in private as well")
    alice.say(scene.room, "said all the same", "groupchat")
    await arrived(alice, "heard all the same")
    await arrived(alice, "in private as well")
    await bob.wait_for(f"PRIVMSG {scene.channel} :said all the same", 30)
    await alice.wait(message(scene.room, "said all the same"), 30)
    carol = await scene.on_xmpp("carol")
    scene.send_join(carol, f"carol{scene.n}")
    await carol.wait(lambda s: s.name == "message" and s.xml.find("{*}subject") is not None, 30)


async def what_needs_the_store_is_refused(scene: Scene, alice: XmppClient, bob: IrcClient) -> None:
    fin = await alice.iq(scene.room, MAM, "set", seconds=30)
    assert (fin["type"], fin["error"]["type"]) == ("error", "wait")
    assert "database is not available" in fin["error"]["text"]
    id_ = alice.say(scene.puppet(bob.nick), "this cannot be kept")
    await until(lambda: id_ in failed(alice), "the refusal", 30)
    refused = next(one for one in alice.stanzas if one["id"] == id_)
    assert (refused["error"]["type"], refused["error"]["condition"]) == ("wait", "resource-constraint")
    assert "was not sent" in refused["error"]["text"]


def check(scene: Scene, alice: XmppClient, bob: IrcClient, from_xmpp: FromXmpp, from_irc: FromIrc) -> None:
    """Nothing came twice, nothing is missing without a word, and what was told as failed did not go out."""
    private = heard([bob], "xd")
    assert untold(from_xmpp.direct, alice, private) == []
    assert doubled(private) == []
    assert in_order(private)
    told = {text for id_, text in from_xmpp.direct.items() if id_ in failed(alice)}
    assert told.isdisjoint(private)
    public = heard([bob], "xr")
    assert public == list(from_xmpp.room.values())
    assert received(alice, scene.room, "ir") == from_irc.room
    sender = next(str(s["from"].bare) for s in alice.stanzas if s["body"].startswith("id "))
    assert received(alice, sender, "id") == from_irc.direct
    ids = [s["id"] for s in alice.stanzas if s["body"].startswith("id ")]
    assert len(ids) == len(set(ids))


async def test_the_store_goes_away_and_comes_back(outage: tuple[Scene, Outage]) -> None:
    scene, taker = outage
    alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("ivy"))
    await scene.join(alice)
    memory = resident(scene.bridge)
    from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
    from_irc = FromIrc(scene, carol, scene.nick)
    await asyncio.gather(from_xmpp.go_on(50), from_irc.go_on(50))
    try:
        await asyncio.to_thread(taker.begin, scene.bridge)
        await until(lambda: times(scene.bridge, LOST), "the outage to be noticed", 60)
        await asyncio.gather(from_xmpp.go_on(50), from_irc.go_on(50))
        await rooms_go_on(scene, alice, bob)
        await what_needs_the_store_is_refused(scene, alice, bob)
    finally:
        await asyncio.to_thread(taker.end)
    await until(lambda: times(scene.bridge, BACK), "the end of the outage", 60)
    await asyncio.gather(from_xmpp.go_on(50), from_irc.go_on(50))
    await asyncio.gather(from_xmpp.stop(), from_irc.stop())
    await asyncio.gather(
        arrived(alice, from_irc.room[-1]),
        arrived(alice, from_irc.direct[-1]),
        arrived(alice, list(from_xmpp.room.values())[-1]),
        until(lambda: untold(from_xmpp.direct, alice, heard([bob], "xd")) == [], "what waited", 30),
    )
    check(scene, alice, bob, from_xmpp, from_irc)
    await healthy(scene, bob)
    kept = await archive(alice, scene.room)
    assert [text for text in kept if text.startswith("ir ")] == from_irc.room
    assert [text for text in kept if text.startswith("xr ")] == list(from_xmpp.room.values())
    assert (times(scene.bridge, LOST), times(scene.bridge, BACK)) == (1, 1), "told once each"
    assert "Traceback" not in scene.bridge.log_text()
    assert resident(scene.bridge) - memory < GROWTH_MB


async def test_postgres_ends_connections_again_and_again(
    own_postgres: Postgres, prosody: Prosody, inspircd: Inspircd
) -> None:
    """Nobody notices: what was under way is done once more, and is there once."""
    setup = BridgeSetup(networks="", store_url=own_postgres.create_database("ended_often"))
    async with stage(prosody, inspircd, setup) as scene:
        alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("ivy"))
        await scene.join(alice)
        from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
        from_irc = FromIrc(scene, carol, scene.nick)
        for _ in range(15):
            await asyncio.gather(from_xmpp.go_on(7), from_irc.go_on(7))
            await asyncio.to_thread(backends, own_postgres, scene.bridge, terminate=True)
        await asyncio.gather(from_xmpp.stop(), from_irc.stop())
        await asyncio.gather(
            arrived(alice, from_irc.room[-1]),
            arrived(alice, from_irc.direct[-1]),
            until(lambda: len(heard([bob], "xd")) >= len(from_xmpp.direct), "what waited", 30),
        )
        check(scene, alice, bob, from_xmpp, from_irc)
        assert failed(alice) == set()
        kept = await archive(alice, scene.room)
        assert [text for text in kept if text.startswith("ir ")] == from_irc.room
        await healthy(scene, bob)
