"""The XMPP server goes and comes back while IRC keeps talking: nobody there sees it, nothing is missed."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.scene import Scene, archive, occupants, until
from tests.peers.irc_client import IrcClient
from tests.peers.xmpp_client import message

pytestmark = pytest.mark.heavy


class Talk:
    """Somebody on IRC who says numbered lines in a channel until told to stop."""

    def __init__(self, client: IrcClient, channel: str) -> None:
        self._client, self._channel = client, channel
        self._stopping = False
        self.said: list[str] = []
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        while not self._stopping:
            for _ in range(5):
                self.said.append(f"line {len(self.said)}")
                self._client.say(self._channel, self.said[-1])
            await self._client.sync()
            await asyncio.sleep(0.01)  # some hundred lines a second: a load, not a flood

    async def go_on(self, lines: int) -> None:
        """Return once so many more were said."""
        wanted = len(self.said) + lines
        await until(lambda: len(self.said) >= wanted or self._task.done(), "more talk")

    async def stop(self) -> list[str]:
        """All that was said."""
        self._stopping = True
        await self._task
        return self.said


def went(observer: IrcClient, nick: str) -> list[str]:
    """What somebody did in the channel but join it."""
    return [line for line in observer.lines if line.startswith(f":{nick}!") and " JOIN " not in line]


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
async def test_the_xmpp_server_restarts_under_load(scene: Scene, crash: bool) -> None:
    bob, carol, dave, talker, alice = await asyncio.gather(
        scene.on_irc("bob"), scene.on_irc("carol"), scene.on_irc("dave"), scene.on_irc("talker"),
        scene.on_xmpp(),
    )  # fmt: skip
    await scene.join(alice)
    links = scene.bridge.link_count()
    talk = Talk(talker, scene.channel)
    await talk.go_on(200)
    await asyncio.to_thread(scene.server.kill if crash else scene.server.stop)
    await talk.go_on(200)
    private = [f"private {number}" for number in range(20)]
    for text in private:
        bob.say(scene.nick, text)
    dave.send(f"PART {scene.channel}")
    await asyncio.gather(bob.sync(), dave.sync(), carol.sync())
    erin = await scene.on_irc("erin")
    await asyncio.to_thread(scene.server.start)
    await until(lambda: scene.bridge.link_count() == links + 1, "the link")
    await talk.go_on(200)

    assert not went(bob, scene.nick)
    again = await scene.on_xmpp()
    await scene.join(again)
    here = occupants(again, scene.room)
    assert here == {scene.nick, bob.nick, carol.nick, talker.nick, erin.nick}
    assert not went(bob, scene.nick)
    said = await talk.stop()
    await until(lambda: any(one["body"] == said[-1] for one in again.stanzas), "the last line")
    assert [body for body in await archive(again, scene.room) if body.startswith("line")] == said
    await until(lambda: any(one["body"] == private[-1] for one in again.stanzas), "the last private message")
    bodies = [str(one["body"]) for one in again.stanzas if message(scene.puppet(bob.nick))(one)]
    assert bodies == private
