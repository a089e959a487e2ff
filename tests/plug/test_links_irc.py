"""The plug pulled between the bridge and an IRC server, while people talk both ways: each message arrives
once, or its sender is told that it may not have."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.scene import Scene, archive, occupants, until
from tests.peers.bridge import DOMAIN, Bridge, BridgeSetup, network, running_bridge
from tests.peers.inspircd import Inspircd, running_inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, message, presence, statuses
from tests.plug.proxy import TcpProxy, running_proxy
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

_numbers = itertools.count(700)
GROWTH_MB = 60
PATIENCE = "ping_interval = 2.0\nping_timeout = 3.0\n"


@pytest.fixture(scope="module")
def inspircd() -> Iterator[Inspircd]:
    """One of this module's own, since it is killed."""
    with running_inspircd() as irc:
        yield irc


@pytest.fixture(scope="module")
def wire(inspircd: Inspircd) -> Iterator[TcpProxy]:
    """Between the bridge and the IRC server; people on IRC are connected directly."""
    with running_proxy(inspircd.tls_port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def bridge(prosody: Prosody, inspircd: Inspircd, wire: TcpProxy) -> Iterator[Bridge]:
    networks = network("tls", wire.port, tls="required", ca_file=inspircd.ca_file)
    setup = BridgeSetup(networks=networks, extra=LIMITS)
    setup.options += PATIENCE
    with running_bridge(prosody, setup) as process:
        yield process


@pytest.fixture
async def scene(bridge: Bridge, prosody: Prosody, inspircd: Inspircd) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        scene = Scene(prosody, bridge, inspircd, next(_numbers))
        stack.push_async_callback(scene.close)
        yield scene


def told_why(client: XmppClient) -> list[str]:
    """What the network's address said was wrong."""
    said = [str(one["body"]) for one in client.stanzas if message(f"tls@{DOMAIN}")(one)]
    return [text for text in said if text.startswith("ERROR: ")]


async def out(client: XmppClient, scene: Scene) -> None:
    """Wait for the presence that says that the network is gone (XEP-0045 §10.9, status 332)."""
    gone = await client.wait(
        lambda s: presence(f"{scene.room}/{scene.nick}", "unavailable")(s) and 332 in statuses(s),
        30,
        "the end of the room",
    )
    assert gone["status"]


async def back(client: XmppClient, scene: Scene) -> None:
    await client.wait(
        lambda s: presence(scene.room, "")(s) and 110 in statuses(s), 60, "the way back into the room"
    )


async def test_the_irc_server_is_killed_while_all_talk(scene: Scene) -> None:
    alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("carol"))
    await scene.join(alice)
    memory = resident(scene.bridge)
    from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
    from_irc = FromIrc(scene, carol, scene.nick)
    await asyncio.gather(from_xmpp.go_on(100), from_irc.go_on(100))
    ended = scene.bridge.log_text().count("session ended")
    await asyncio.to_thread(scene.irc.kill)
    try:
        await out(alice, scene)
        before = len(from_xmpp.room)
        await from_xmpp.go_on(50)
        await until(lambda: scene.bridge.log_text().count("session ended") >= ended + 2, "a retry", 30)
    finally:
        await asyncio.to_thread(scene.irc.start)
    bob2, carol2 = await asyncio.gather(scene.on_irc("bob"), scene.on_irc("carol"))
    await back(alice, scene)
    refused = list(from_xmpp.room)[before : before + 50]
    assert set(refused) <= failed(alice)
    again = FromIrc(scene, carol2, scene.nick)
    again.room += from_irc.room
    again.direct += from_irc.direct
    await asyncio.gather(from_xmpp.go_on(100), again.go_on(100), from_irc.stop())
    await asyncio.gather(from_xmpp.stop(), again.stop())
    await healthy(scene, bob2)
    assert_all_told(scene, from_xmpp, alice, [bob, bob2])
    await arrived(alice, again.room[-1])
    lines = received(alice, scene.room, "ir")
    new = [line for line in lines if line not in set(from_irc.room)]
    assert new == again.room[again.room.index(new[0]) :], "all since the way back"
    assert in_order(lines)
    assert told_why(alice)
    assert resident(scene.bridge) - memory < GROWTH_MB


def assert_all_told(scene: Scene, talk: FromXmpp, client: XmppClient, listeners: list) -> None:
    for said, mark in ((talk.room, "xr"), (talk.direct, "xd")):
        on_irc = heard(listeners, mark)
        assert not doubled(on_irc)
        assert in_order(on_irc)
        assert not untold(said, client, on_irc)


async def test_the_wire_to_the_irc_server_is_dead(scene: Scene, wire: TcpProxy) -> None:
    alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("carol"))
    await scene.join(alice)
    memory = resident(scene.bridge)
    from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
    from_irc = FromIrc(scene, carol, scene.nick)
    await asyncio.gather(from_xmpp.go_on(100), from_irc.go_on(100))
    wire.go_dead()
    await out(alice, scene)
    await back(alice, scene)
    assert "ping timeout" in " ".join(told_why(alice))
    ghost = await bob.wait_for(rf"^:{scene.nick}_+!\S+ JOIN", 30)
    assert scene.nick in occupants(alice, scene.room), "the ghost is in the room"
    await asyncio.gather(from_xmpp.go_on(50), from_irc.go_on(50))
    wire.end_the_dead()
    await bob.wait_for(rf"^:{scene.nick}_+!\S+ NICK :?{scene.nick}$", 30)
    await asyncio.gather(from_xmpp.go_on(50), from_irc.go_on(50))
    await asyncio.gather(from_xmpp.stop(), from_irc.stop())
    await healthy(scene, bob)
    assert_all_told(scene, from_xmpp, alice, [bob])
    await arrived(alice, from_irc.room[-1])
    assert in_order(received(alice, scene.room, "ir"))
    assert not doubled(line for line in await archive(alice, scene.room) if line.startswith("ir "))
    assert ghost
    assert resident(scene.bridge) - memory < GROWTH_MB
