"""The bridge ends while clients sit in rooms: the next one brings them back."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from tests.e2e.scene import Scene, is_subject, occupants, until
from tests.peers.xmpp_client import XmppClient, message, presence, statuses


def stored(scene: Scene) -> int:
    """How many clients the store has in this test's room."""
    path = scene.bridge.folder / "bridge.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        query = "SELECT count(*) FROM room_resources WHERE room = ?"
        return int(database.execute(query, (scene.channel,)).fetchone()[0])


async def back_in(client: XmppClient, scene: Scene) -> None:
    """The whole join sequence comes again, unasked."""
    back = await client.wait(presence(f"{scene.room}/{scene.nick}", ""), seconds=30)
    assert 110 in statuses(back)
    await client.wait(is_subject(scene.room), what="the subject")


@pytest.mark.parametrize("kept", [False, True], ids=["not kept", "kept"])
@pytest.mark.parametrize("crash", [True, False], ids=["killed", "asked to end"])
async def test_clients_are_brought_back(scene: Scene, crash: bool, kept: bool) -> None:
    alice, bob = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"))
    await scene.join(alice)
    if kept:
        await alice.roster()
        alice.send(f"<presence to='{scene.room}' type='subscribe'/>")
        await alice.wait(presence(scene.room, "subscribed"))
    bob.say(scene.channel, "before")
    await alice.wait(message(scene.room, "before"))
    await scene.bridge.restart(crash=crash)
    if not crash:
        out = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
        assert {110, 332} <= statuses(out)
    await back_in(alice, scene)
    assert {scene.nick, bob.nick} <= occupants(alice, scene.room)
    bob.say(scene.channel, "here again")
    await alice.wait(message(scene.room, "here again"))
    alice.say(scene.room, "so am I", "groupchat")
    await bob.wait_for(rf"^:{scene.nick}!\S+ PRIVMSG {scene.channel} :so am I")


async def test_a_client_that_went_meanwhile_is_not(scene: Scene) -> None:
    alice, phone, bob = await asyncio.gather(
        scene.on_xmpp(), scene.on_xmpp(resource="phone"), scene.on_irc("bob")
    )
    await scene.join(alice)
    await scene.join(phone)
    await until(lambda: stored(scene) == 2, "both to be stored")
    await asyncio.to_thread(scene.bridge.kill)
    await phone.disconnect()
    await asyncio.to_thread(scene.bridge.start)
    await back_in(alice, scene)
    await scene.leave(alice)
    await bob.wait_for(rf"^:{scene.nick}!\S+ (QUIT|PART)", seconds=20)
    await until(lambda: stored(scene) == 0, "none to be stored")


async def test_a_client_that_is_banned_meanwhile_is_told(scene: Scene) -> None:
    bob, alice = await scene.on_irc("bob"), await scene.on_xmpp()
    await scene.join(alice)
    await asyncio.to_thread(scene.bridge.kill)
    await bob.wait_for(rf"^:{scene.nick}!\S+ QUIT")
    bob.send(f"MODE {scene.channel} +b {scene.nick}!*@*")
    await bob.sync()
    await asyncio.to_thread(scene.bridge.start)
    refused = await alice.wait(presence(f"{scene.room}/{scene.nick}", "error"), seconds=20)
    assert refused["error"]["condition"] == "forbidden"
