"""Reports on messages that went out in several parts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from bridge.api import (
    ConnectionLost,
    Content,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Displayed,
    MessageId,
    Outcome,
    Reason,
    SendMessage,
    Sent,
    SentPart,
)
from bridge.store.errors import StoreDown
from tests.core.conftest import ALICE, BOB, BOB_JID, PHONE, World
from tests.core.face import until
from tests.core.network import Network, ScriptedSession

CHAT = DirectChat(BOB.contact)
FULL = "Part 2 of 3 was not delivered: The phone is full."


async def in_three(session: ScriptedSession, command: object) -> Outcome:
    if not isinstance(command, SendMessage):
        return Sent()
    return Sent(tuple(SentPart(MessageId(f"{command.key}-{n}"), Content("part")) for n in (1, 2, 3)))


async def said(world: World, key: str = "s1") -> ScriptedSession:
    """A message has gone out in three parts, which are stored."""
    await world.start(Network())
    world.network.answer = in_three
    world.write("a long one", key)
    await until(lambda: world.network.commands and not world.live().lanes)
    await world.store.writer.flush()
    return world.network.session


def arrived(world: World, *parts: int, key: str = "s1") -> list[Awaitable[None]]:
    emit = world.network.session.emit
    return [emit(Delivered(CHAT, MessageId(f"{key}-{part}"))) for part in parts]


def failed(world: World, part: int, text: str = "The phone is full.") -> Awaitable[None]:
    return world.network.session.emit(DeliveryFailed(CHAT, MessageId(f"s1-{part}"), text))


def told(world: World) -> list[str]:
    """What the user was told, in order."""
    names = {"direct_receipt": "receipt", "message_failed": "failure"}
    return [names[call.name] for call in world.face.calls if call.name in names]


async def test_it_has_arrived_when_all_parts_have(world: World) -> None:
    await said(world)
    await asyncio.gather(*arrived(world, 3, 1, 1))
    assert told(world) == []
    await asyncio.gather(*arrived(world, 2, 2))
    await asyncio.gather(*arrived(world, 1))
    assert [call.args for call in world.face.of("direct_receipt")] == [(ALICE, BOB_JID, "s1")]


async def test_all_at_once(world: World) -> None:
    await said(world)
    await asyncio.gather(*arrived(world, 1, 2, 3, 3, 2, 1))
    assert told(world) == ["receipt"]


async def test_one_part_fails_and_so_does_the_message(world: World) -> None:
    await said(world)
    await asyncio.gather(*arrived(world, 1))
    await failed(world, 2)
    await failed(world, 3, "The phone is off.")
    await failed(world, 1)
    await asyncio.gather(*arrived(world, 1, 2, 3))
    (failure,) = world.face.of("message_failed")
    assert failure.args == (PHONE, BOB_JID, "s1", Reason.OFFLINE, FULL, False)
    assert told(world) == ["failure"]


async def test_a_failure_after_all_have_arrived_changes_nothing(world: World) -> None:
    await said(world)
    await asyncio.gather(*arrived(world, 1, 2, 3))
    await failed(world, 2)
    assert told(world) == ["receipt"]


async def test_two_fail_at_once(world: World) -> None:
    await said(world)
    await asyncio.gather(failed(world, 1), failed(world, 3))
    assert told(world) == ["failure"]


async def test_reports_that_are_days_apart(world: World) -> None:
    await said(world)
    await asyncio.gather(*arrived(world, 1, 3))
    await world.kill()
    await said(world, "s2")
    await asyncio.gather(*arrived(world, 3))
    assert told(world) == []
    await asyncio.gather(*arrived(world, 2))
    assert told(world) == ["receipt"]
    await world.kill()
    await said(world, "s3")
    await asyncio.gather(*arrived(world, 2), failed(world, 1))
    assert told(world) == [], "the user knows"


async def test_what_the_user_may_not_have_heard_is_told_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before that was certain: the network repeats what nobody said was taken."""

    async def never() -> None:
        await asyncio.Event().wait()

    await said(world)
    monkeypatch.setattr(world.face, "caught_up", never)
    last = [asyncio.ensure_future(report) for report in arrived(world, 1, 2, 3)]
    await world.face.wait("direct_receipt")
    await until(lambda: sum(report.done() for report in last) == 2)
    await world.kill()
    await said(world, "s2")
    await asyncio.gather(*arrived(world, 3))
    assert told(world) == ["receipt"]


async def test_the_place_moves_with_each_report(world: World) -> None:
    session = await said(world)
    await session.emit(Delivered(CHAT, MessageId("s1-1")), cursor=("place", "1"))
    assert await world.store.cursors.get(world.live().id, "place") == "1"
    await session.emit(DeliveryFailed(CHAT, MessageId("s1-2"), "x"), cursor=("place", "2"))
    assert await world.store.cursors.get(world.live().id, "place") == "2"


async def test_a_sender_who_is_gone_hears_of_it_by_one_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(resource: str, puppet: str) -> bool:
        return False

    await said(world)
    monkeypatch.setattr(world.face, "ask_ping", gone)
    await failed(world, 2)
    await failed(world, 3)
    ((message, _),) = world.face.delivered
    assert message.content.text == FULL


async def test_a_part_that_was_seen_is_the_message(world: World) -> None:
    session = await said(world)
    await session.emit(Displayed(CHAT, MessageId("s1-2")))
    assert [call.args for call in world.face.of("direct_displayed")] == [(ALICE, BOB_JID, "s1")]


async def test_ids_that_are_all_the_same_are_one(world: World) -> None:
    async def under_one(session: ScriptedSession, command: object) -> Outcome:
        return Sent((SentPart(MessageId("s1-1"), Content("a")), SentPart(MessageId("s1-1"), Content("b"))))

    await world.start()
    world.network.answer = under_one
    world.write("a long one", "s1")
    await until(lambda: world.network.commands and not world.live().lanes)
    await asyncio.gather(*arrived(world, 1))
    assert told(world) == ["receipt"]


async def test_parts_that_were_never_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was out for long: that all have arrived is not claimed, a failure is told."""
    await world.start()
    monkeypatch.setattr(world.store.message_ids, "put_sent", lambda *given: None)
    world.network.answer = in_three
    world.write("a long one", "s1")
    await until(lambda: world.network.commands and not world.live().lanes)
    await asyncio.gather(*arrived(world, 1, 2, 3))
    assert told(world) == []
    await failed(world, 2)
    assert told(world) == ["failure"]


async def test_a_store_that_is_out_takes_no_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def out(*given: object) -> None:
        raise StoreDown("out")

    await said(world)
    with monkeypatch.context() as patched:
        patched.setattr(world.store.message_ids, "report", out)
        (report,) = arrived(world, 1)
        with pytest.raises(ConnectionLost, match="database"):
            await report
    await asyncio.gather(*arrived(world, 1, 2, 3))
    assert told(world) == ["receipt"]
