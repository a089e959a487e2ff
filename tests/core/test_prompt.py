"""A session that answers at once: nothing is overtaken, and what it leaves goes the usual way."""

from __future__ import annotations

import asyncio
from types import MethodType

from bridge.api import Command, Outcome, SendMessage, Sent
from tests.core.conftest import World
from tests.core.network import ScriptedSession
from tests.core.test_talk import reflections, say


async def test_order_is_kept_between_what_goes_at_once_and_what_waits(world: World) -> None:
    await world.start()
    room = await world.joined()
    gate, said = asyncio.Event(), []

    async def slowly(session: ScriptedSession, command: Command) -> Outcome:
        assert isinstance(command, SendMessage)
        await gate.wait()
        said.append(f"slow {command.content.text}")
        return Sent()

    def at_once(session: ScriptedSession, command: SendMessage) -> Sent | None:
        if command.content.text == "big":
            return None
        said.append(f"quick {command.content.text}")
        return Sent()

    world.network.answer = slowly
    session = world.network.session
    vars(session)["at_once"] = MethodType(at_once, session)
    world.live().went_online(session)
    say(world, room, "one", "s1")
    assert said == ["quick one"]
    assert [each.stanza_id for each in await reflections(world)] == ["s1"]
    say(world, room, "big", "s2")
    say(world, room, "two", "s3")
    gate.set()
    assert [each.stanza_id for each in await reflections(world, 3)] == ["s1", "s2", "s3"]
    assert said == ["quick one", "slow big", "quick two"]
    assert world.gateway._ground.senders.find(room.user, room.jid, "s1")
