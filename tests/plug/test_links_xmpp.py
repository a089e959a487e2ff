"""The plug pulled between the bridge and its XMPP server, while people talk both ways."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.scene import Scene, archive, until
from tests.peers.bridge import Bridge, BridgeSetup, network, running_bridge
from tests.peers.ejabberd import Ejabberd, EjabberdSetup, running_ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import presence, statuses
from tests.plug.proxy import TcpProxy, running_proxy
from tests.plug.talk import (
    LIMITS,
    FromIrc,
    FromXmpp,
    arrived,
    body,
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

_numbers = itertools.count(800)
GROWTH_MB = 150
"""What docs/failures.md promises of a server that does not read."""


@pytest.fixture(scope="module")
def ejabberd() -> Iterator[Ejabberd]:
    """With SQL storage: with its own, a killed ejabberd loses what it had accepted."""
    with running_ejabberd(EjabberdSetup(sql=True)) as server:
        yield server


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> Prosody | Ejabberd:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def bridge(server: Prosody | Ejabberd, inspircd: Inspircd) -> Iterator[Bridge]:
    networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    with running_bridge(server, BridgeSetup(networks=networks, extra=LIMITS)) as process:
        yield process


@contextlib.asynccontextmanager
async def scene_with(server: Prosody | Ejabberd, bridge: Bridge, irc: Inspircd) -> AsyncIterator[Scene]:
    scene = Scene(server, bridge, irc, next(_numbers))
    try:
        yield scene
    finally:
        await scene.close()


async def test_the_xmpp_server_is_killed_while_all_talk(
    server: Prosody | Ejabberd, bridge: Bridge, inspircd: Inspircd
) -> None:
    async with scene_with(server, bridge, inspircd) as scene:
        alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("carol"))
        await scene.join(alice)
        memory = resident(bridge)
        from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
        from_irc = FromIrc(scene, carol, scene.nick)
        await asyncio.gather(from_xmpp.go_on(100), from_irc.go_on(100))
        links = bridge.link_count()
        await asyncio.to_thread(server.kill)
        await from_irc.go_on(200)
        await asyncio.to_thread(server.start)
        await until(lambda: bridge.link_count() == links + 1, "the link", 60)
        again = await scene.on_xmpp()
        await scene.join(again)
        await asyncio.gather(from_irc.go_on(50), from_xmpp.stop())
        await from_irc.stop()
        await healthy(scene, bob)

        own = [text for text in await archive(again, scene.room) if text.startswith("xr ")]
        assert own == heard([bob], "xr"), "what IRC heard is what the room shows as said"
        for on_irc in (own, heard([bob], "xd")):
            assert not doubled(on_irc)
            assert in_order(on_irc)
        acknowledged = [from_xmpp.room[one] for one in reflected(alice, scene.room)]
        assert set(acknowledged) <= set(own)
        lines = [text for text in await archive(again, scene.room) if text.startswith("ir ")]
        assert lines == from_irc.room
        puppet = scene.puppet(carol.nick)
        await arrived(again, from_irc.direct[-1])
        private = received(alice, puppet, "id") + received(again, puppet, "id")
        # ejabberd may archive what comes while a client logs in, and not deliver it (docs/fence.md).
        private += [text for text in await archive(again, again.bare) if text.startswith("id ")]
        assert set(private) == set(from_irc.direct)
        assert resident(bridge) - memory < GROWTH_MB


# ---- a server whose connection is there, and is not


@dataclass
class ThroughWire:
    """The XMPP server as the bridge sees it."""

    host: str
    component_port: int


@pytest.fixture(scope="module")
def wire(prosody: Prosody) -> Iterator[TcpProxy]:
    """Between the bridge and Prosody."""
    with running_proxy(prosody.component_port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def wired(prosody: Prosody, inspircd: Inspircd, wire: TcpProxy) -> Iterator[Bridge]:
    """A bridge that is as patient as usual."""
    networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    setup = BridgeSetup(networks=networks, extra=LIMITS)
    with running_bridge(ThroughWire(prosody.host, wire.port), setup) as process:
        yield process


async def test_a_server_that_does_not_read_for_a_minute(
    prosody: Prosody, wired: Bridge, inspircd: Inspircd, wire: TcpProxy
) -> None:
    async with scene_with(prosody, wired, inspircd) as scene:
        bob, carol = await asyncio.gather(scene.on_irc("bob"), scene.on_irc("carol"))
        users = await asyncio.gather(*(scene.on_xmpp(f"u{number}x") for number in range(4)))
        for number, user in enumerate(users):
            await scene.join(user, nick=f"u{number}x{scene.n}")
        alice, nick = users[0], f"u0x{scene.n}"
        from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick), pause=0.1)
        from_irc = FromIrc(scene, carol, nick, pad=200)
        await from_irc.go_on(50)
        memory, links = resident(wired), wired.link_count()
        wire.stop_reading()
        loop = asyncio.get_running_loop()
        began, most = loop.time(), 0
        from_irc.burst(6000)
        while loop.time() < began + 60:
            most = max(most, resident(wired))
            await asyncio.sleep(0.2)  # a minute, and what the bridge weighs meanwhile
        assert "does not read" in wired.log_text()
        assert wired.link_count() == links
        wire.read_again()
        await asyncio.gather(from_irc.go_on(50), from_xmpp.go_on(20))
        await asyncio.gather(from_irc.stop(), from_xmpp.stop())
        for user in users:
            await arrived(user, from_irc.room[-1], 60)
            assert [text for text in map(body, user.stanzas) if text.startswith("ir ")] == from_irc.room
        await arrived(alice, list(from_xmpp.room.values())[-1])
        assert reflected(alice, scene.room) == list(from_xmpp.room)
        assert not failed(alice)
        assert heard([bob], "xr") == list(from_xmpp.room.values())
        assert heard([bob], "xd") == list(from_xmpp.direct.values())
        await arrived(alice, from_irc.direct[-1])
        assert [text for text in map(body, alice.stanzas) if text.startswith("id ")] == from_irc.direct
        assert not [line for line in bob.lines if " QUIT " in line], "the sessions stay"
        await healthy(scene, bob)
        assert most - memory < GROWTH_MB, f"{most - memory} MB"


async def test_the_wire_to_the_xmpp_server_is_dead(
    prosody: Prosody, wired: Bridge, inspircd: Inspircd, wire: TcpProxy
) -> None:
    wired.setup.xmpp = "ping_after = 4.0\nping_timeout = 4.0\n"
    wired.write_config()
    await wired.restart()
    async with scene_with(prosody, wired, inspircd) as scene:
        alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("carol"))
        await scene.join(alice)
        memory = resident(wired)
        from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
        from_irc = FromIrc(scene, carol, scene.nick)
        await asyncio.gather(from_irc.go_on(100), from_xmpp.go_on(100))
        await from_xmpp.stop()
        await arrived(alice, list(from_xmpp.room.values())[-1])
        links = wired.link_count()
        wire.go_dead()  # a fence that is open may notice it before the ping in the silence does
        noticed = "the server was silent", "has not answered a ping"
        await until(
            lambda: any(text in wired.log_text() for text in noticed), "a dead link to be noticed", 30
        )
        await until(lambda: "is connected to the server already" in wired.log_text(), "the ghost", 30)
        wire.end_the_dead()
        await until(lambda: wired.link_count() == links + 1, "the link", 30)
        await alice.wait(lambda s: presence(scene.room, "")(s) and 110 in statuses(s), 30, "the room again")
        more = FromXmpp(scene, alice, scene.puppet(bob.nick))
        await asyncio.gather(from_irc.go_on(50), more.go_on(50))
        await asyncio.gather(from_irc.stop(), more.stop())
        await healthy(scene, bob)
        assert not untold(more.room, alice, heard([bob], "xr"))
        lines = [text for text in await archive(alice, scene.room) if text.startswith("ir ")]
        assert lines == from_irc.room
        puppet = scene.puppet(carol.nick)
        await arrived(alice, from_irc.direct[-1])
        assert received(alice, puppet, "id") == from_irc.direct
        assert not [line for line in bob.lines if line.startswith(f":{scene.nick}!") and " QUIT " in line]
        assert resident(wired) - memory < GROWTH_MB
