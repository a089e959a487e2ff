"""What goes wrong around the bridge, and what people see of it: servers and the bridge end, floods, wrong
settings."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scene import Scene, names, occupants, until
from tests.peers.bridge import DOMAIN, Bridge, BridgeSetup, network, running_bridge
from tests.peers.daemon import free_port, running, scratch
from tests.peers.inspircd import Inspircd, running_inspircd
from tests.peers.prosody import Prosody, ProsodySetup, running_prosody
from tests.peers.xmpp_client import XmppClient, message, presence, statuses

pytestmark = pytest.mark.heavy

PING = "<ping xmlns='urn:xmpp:ping'/>"


@pytest.fixture(scope="module")
def server(prosody: Prosody) -> Prosody:
    """One XMPP server is enough here; `test_server_restart.py` has both."""
    return prosody


@pytest.fixture(scope="module")
def inspircd() -> Iterator[Inspircd]:
    """One of this module's own, since it is killed."""
    with running_inspircd() as irc:
        yield irc


async def keep(scene: Scene, client: XmppClient) -> None:
    """Put the room into the roster, so that the account stays in it."""
    await client.roster()
    client.send(f"<presence to='{scene.room}' type='subscribe'/>")
    await client.wait(presence(scene.room, "subscribed"))


def resident(bridge: Bridge) -> int:
    """The bridge's memory in MB."""
    lines = Path(f"/proc/{bridge.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1000


# ---- servers and the bridge end


async def test_the_irc_server_is_killed_and_comes_back(scene: Scene) -> None:
    alice, keeper = await asyncio.gather(scene.on_xmpp(), scene.on_xmpp("keeper"))
    await asyncio.gather(scene.join(alice), scene.join(keeper, nick=f"keeper{scene.n}"))
    await keep(scene, keeper)
    await scene.leave(keeper, nick=f"keeper{scene.n}")
    await asyncio.to_thread(scene.irc.kill)
    try:
        await alice.wait(
            lambda s: message(f"tls@{DOMAIN}")(s) and s["body"].startswith("ERROR: "), what="the reason"
        )
        out = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    finally:
        await asyncio.to_thread(scene.irc.start)
    assert {110, 332} <= statuses(out)
    assert out["status"]
    back = await alice.wait(presence(f"{scene.room}/{scene.nick}", ""), seconds=40)
    assert 110 in statuses(back)
    await until(lambda: f"keeper{scene.n}" in occupants(alice, scene.room), "the kept room", 40)
    bob = await scene.on_irc("bob")
    bob.say(scene.channel, "here again")
    await alice.wait(message(scene.room, "here again"))


async def test_the_bridge_is_asked_to_end(scene: Scene) -> None:
    alice, bob = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"))
    await scene.join(alice)
    process, began = scene.bridge.process, time.monotonic()
    process.terminate()
    code = await asyncio.to_thread(process.wait)
    took = time.monotonic() - began
    await asyncio.to_thread(scene.bridge.stop)
    assert code == 0
    assert took < 4
    out = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    assert {110, 332} <= statuses(out)
    await bob.wait_for(rf"^:{scene.nick}!\S+ QUIT :.*Gateway shutdown")
    await asyncio.to_thread(scene.bridge.start)


async def test_the_bridge_crashes_with_messages_on_their_way(scene: Scene) -> None:
    alice, bob = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"))
    await scene.join(alice)
    await keep(scene, alice)
    bob.say(scene.nick, "before")
    await alice.wait(message(scene.puppet(bob.nick), "before"))
    # She may have it before the bridge knows that the server had it, and killed now, it would be sent again.
    await until(lambda: waiting(scene.bridge) == 0, "the message to be settled")
    await asyncio.to_thread(scene.server.kill)
    private = [f"private {number}" for number in range(10)]
    for text in private:
        bob.say(scene.nick, text)
    try:
        await bob.sync()
        await until(lambda: waiting(scene.bridge) == len(private), "the messages to be stored")
        await asyncio.to_thread(scene.bridge.kill)
    finally:
        await asyncio.to_thread(scene.server.start)
    await asyncio.to_thread(scene.bridge.start)
    await bob.wait_for(rf"^:{scene.nick}!\S+ JOIN", seconds=20)
    again = await scene.on_xmpp()
    await until(lambda: any(one["body"] == private[-1] for one in again.stanzas), "the last message")
    bodies = [str(one["body"]) for one in again.stanzas if message(scene.puppet(bob.nick))(one)]
    assert bodies == private
    await until(lambda: waiting(scene.bridge) == 0, "all messages to be settled")


def waiting(bridge: Bridge) -> int:
    """How many direct messages for users the bridge has in its store, and has not settled."""
    with sqlite3.connect(f"file:{bridge.folder / 'bridge.db'}?mode=ro", uri=True) as database:
        return int(
            database.execute("SELECT count(*) FROM inbox WHERE state IN ('new', 'trying')").fetchone()[0]
        )


# ---- wrong settings


class Unlinked(Bridge):
    """A bridge that is expected to say why the server does not have it."""

    def ready(self) -> bool:
        return "no stream to the XMPP server" in self.log_text()


async def test_a_server_that_is_not_there_yet(scene: Scene) -> None:
    prosody_setup = ProsodySetup()
    with scratch("prosody") as folder, scratch("bridge") as own:
        server = Prosody(folder, prosody_setup)
        with running(Unlinked(own, server, BridgeSetup(networks=""))) as bridge:
            assert f"127.0.0.1:{server.component_port} refuses the connection" in bridge.log_text()
            assert "is the XMPP server running, and is this its component port?" in bridge.log_text()
            with running(server):
                await until(lambda: bridge.link_count() == 1, "the link")


async def test_a_wrong_secret(scene: Scene) -> None:
    with (
        running_prosody(ProsodySetup(components={DOMAIN: "another"})) as server,
        scratch("bridge") as own,
        running(Unlinked(own, server, BridgeSetup(networks=""))) as bridge,
    ):
        assert f"does not accept the secret of {DOMAIN}" in bridge.log_text()
        assert "sekrit" not in bridge.log_text()
        server.setup.components = {DOMAIN: "sekrit"}
        server.write_config()
        await server.restart()
        await until(lambda: bridge.link_count() == 1, "the link")


async def test_a_second_bridge_on_the_same_domain(scene: Scene) -> None:
    with (
        running_prosody() as server,
        scratch("bridge") as own,
        running_bridge(server, BridgeSetup(networks="")) as first,
        running(Unlinked(own, server, BridgeSetup(networks=""))) as second,
    ):
        assert f"{DOMAIN} is connected to the server already" in second.log_text()
        assert first.link_count() == 1
        await asyncio.to_thread(first.stop)
        await until(lambda: second.link_count() == 1, "the link")
        process = second.process
        process.terminate()
        assert await asyncio.to_thread(process.wait) == 0


async def test_an_irc_server_that_is_not_there(scene: Scene) -> None:
    nowhere = network("nowhere", free_port())
    with running_prosody() as server, running_bridge(server, BridgeSetup(networks=nowhere)):
        name = f"alice{scene.n}"
        server.add_user(name, "test-pw")
        client = XmppClient(f"{server.jid(name)}/r", "test-pw", server.c2s_port)
        await client.connect()
        scene.send_join(client, room=scene.room_jid(network="nowhere"))
        refused = await client.wait(presence(scene.room_jid(network="nowhere"), "error"), seconds=20)
        await client.disconnect()
    assert refused["error"]["condition"] == "item-not-found"
    assert "refused" in refused["error"]["text"]


# ---- floods


async def answered(client: XmppClient, to: str, done: asyncio.Event) -> list[float]:
    """How long each ping took, one after the other, until `done`."""
    took = []
    while not done.is_set():
        began = time.monotonic()
        assert (await client.iq(to, PING))["type"] == "result"
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    return took


async def test_a_flood_from_irc(scene: Scene) -> None:
    alice, carol, *talkers = await asyncio.gather(
        scene.on_xmpp(), scene.on_xmpp("carol"), *(scene.on_irc(f"t{number}x") for number in range(5))
    )
    quiet = scene.room_jid(f"#quiet{scene.n}")
    await asyncio.gather(scene.join(alice), scene.join(carol, f"carol{scene.n}", quiet))
    memory, done = resident(scene.bridge), asyncio.Event()
    pings = asyncio.create_task(answered(carol, f"{quiet}/carol{scene.n}", done))
    each = 4_000  # what InspIRCd lets one client say before it slows it down
    for number in range(each):
        for talker in talkers:
            talker.say(scene.channel, f"flood {number}")
        if number % 100 == 0:
            await asyncio.sleep(0)
    got: dict[str, list[str]] = {talker.nick: [] for talker in talkers}
    for _ in range(each * len(talkers)):
        one = await alice.wait(message(scene.room, kind="groupchat"), seconds=30)
        got[one["from"].resource].append(one["body"])
    done.set()
    assert got == {talker.nick: [f"flood {number}" for number in range(each)] for talker in talkers}
    assert max(await pings) < 5
    assert resident(scene.bridge) - memory < 60


async def test_a_flood_from_a_client(scene: Scene) -> None:
    count = 2_000
    alice, carol, bob = await asyncio.gather(scene.on_xmpp(), scene.on_xmpp("carol"), scene.on_irc("bob"))
    await asyncio.gather(
        scene.join(alice), scene.join(carol, f"carol{scene.n}", scene.room_jid(f"#quiet{scene.n}"))
    )
    done = asyncio.Event()
    pings = asyncio.create_task(
        answered(carol, scene.room_jid(f"#quiet{scene.n}") + f"/carol{scene.n}", done)
    )
    sent = [alice.say(scene.room, f"flood {number}", "groupchat") for number in range(count)]
    reflected: list[str] = []
    refused: list[str] = []
    while len(reflected) + len(refused) < count:
        one = await alice.wait(lambda s: s.name == "message" and s["id"] in numbers(sent), seconds=30)
        if one["type"] == "error":
            assert one["error"]["type"] == "wait"
            assert one["error"]["condition"] in ("resource-constraint", "policy-violation")
            refused.append(one["id"])
        else:
            reflected.append(one["id"])
    done.set()
    assert sorted(reflected + refused) == sorted(sent)
    assert reflected == [one for one in sent if one in set(reflected)]
    assert len(reflected) >= 200
    assert max(await pings) < 5
    await bob.sync()
    heard = [line for line in bob.lines if f"PRIVMSG {scene.channel} :flood" in line]
    assert len(heard) == len(reflected)


def numbers(sent: list[str]) -> set[str]:
    """The ids, to look them up quickly."""
    return set(sent)


# ---- clients


async def test_a_client_that_vanishes_in_the_middle_of_a_join(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp(resource="gone")
    scene.send_join(alice)
    await alice.sync()
    await alice.disconnect(abruptly=True)
    again = await scene.on_xmpp(resource="again")
    await scene.join(again)
    assert occupants(again, scene.room) == {bob.nick, scene.nick}
    await scene.leave(again)
    await bob.wait_for(rf"^:{scene.nick}!\S+ (QUIT|PART)")
    assert await names(bob, scene.channel) == [f"@{bob.nick}"]
