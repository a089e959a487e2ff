"""Direct messages both ways: stored before they are acknowledged, neither lost nor doubled by what breaks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.api import (
    AuthFailed,
    Command,
    ConnectionLost,
    ContactId,
    Content,
    DirectChat,
    Later,
    MessageCorrected,
    MessageId,
    OccupantId,
    Outcome,
    Reason,
    Refused,
    SendMessage,
    Sent,
    SentPart,
    Unknown,
)
from bridge.core import inbox, lanes, outbox
from bridge.core.outbox import CRASHED
from bridge.core.registering import UNREGISTERED
from bridge.core.values import SessionState
from bridge.store.errors import StoreError
from tests.core.conftest import ALICE, BOB, BOB_JID, NET, PHONE, World
from tests.core.face import DOMAIN, RecordingFace, until
from tests.core.network import Network, ScriptedSession, refusing


def texts(face: RecordingFace) -> list[str]:
    """What was delivered, in order."""
    return [message.content.text for message, _ in face.delivered]


async def online(world: World, network: Network | None = None, link: bool = True) -> ScriptedSession:
    """A gateway with Alice's session on it."""
    await world.start(network, link=link)
    world.gateway.accounts.connect(ALICE, NET)
    await world.until_online()
    return world.network.session


async def unsettled(world: World) -> int:
    """How many messages the server may not have, when every fence so far has been dealt with."""
    flying = world.gateway._inbox._flying
    answered = [message for message, fence in world.face.delivered if fence.done()]
    await until(lambda: not any(item.message in answered for item in flying.values()))
    return len(await world.store.inbox.pending(DOMAIN))


async def open_rows(world: World) -> list[bool]:
    return [row.trying for row in await world.store.outbox.pending(DOMAIN)]


# -- network to user


async def test_stored_before_the_network_is_told(world: World) -> None:
    session = await online(world, link=False)
    await session.tell("bob", "hi", "m1", cursor=("inbox", "17"))
    (row,) = await world.store.inbox.pending(DOMAIN)
    assert row.account == world.live().id
    assert row.chat == "bob"
    assert await session.host.cursor("inbox") == "17"


async def test_delivered_once_and_settled(world: World) -> None:
    session = await online(world)
    await session.tell("bob", "hi", "m1")
    await session.tell("bob", "hi", "m1")
    await session.tell("bob", "no id")
    await session.tell("bob", "no id")
    await world.face.wait("direct_message", ALICE, BOB_JID, count=3)
    assert await unsettled(world) == 0
    assert texts(world.face) == ["hi", "no id", "no id"]


async def test_unfenced_is_sent_again_with_the_same_id_after_a_crash(world: World) -> None:
    session = await online(world)
    world.face.fence = None
    for n in range(3):
        await session.tell("bob", f"m{n}", f"id{n}")
    await until(lambda: len(world.face.delivered) == 3)
    first = [message for message, _ in world.face.delivered]
    world.face.delivered[1][1].set_result("fenced")
    await until(lambda: world.store.writer.backlog == 0)
    await world.kill()
    await world.start(Network())
    await world.face.wait("direct_message", count=2)
    assert [message for message, _ in world.face.delivered] == [first[0], first[2]]
    await until(lambda: not world.gateway._inbox._flying)
    assert await unsettled(world) == 0


async def test_held_while_the_link_is_down(world: World) -> None:
    session = await online(world)
    world.face.fence = None
    await session.tell("bob", "0")
    await session.tell("bob", "1")
    await until(lambda: len(world.face.delivered) == 2)
    world.gateway.link_down("gone")
    for _, fence in world.face.delivered:
        fence.set_result("lost")
    await session.tell("bob", "2")
    stored = [session.tell("bob", str(n)) for n in range(3, 50)]
    assert world.live().state is SessionState.ONLINE
    assert len(world.face.delivered) == 2
    world.face.delivered.clear()
    world.face.fence = "fenced"
    world.gateway.link_up()
    for one in stored:
        await one
    await session.tell("bob", "50")
    await until(lambda: len(world.face.delivered) >= 51)
    assert texts(world.face) == [str(n) for n in range(51)]
    assert await unsettled(world) == 0


@pytest.mark.parametrize("most", [2, 1000])
async def test_talk_during_every_step_of_a_replay(
    world: World, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Link up, link down, again and again, while the network goes on: each once, in order."""
    monkeypatch.setattr(inbox, "MOST_FLYING", most)
    session = await online(world)
    for n in range(300):
        session.tell("bob", str(n))
        if n % 7 == 0:
            await asyncio.sleep(0)
        if n % 20 == 5:
            world.gateway.link_down("gone")
        if n % 20 == 12:
            world.gateway.link_up()
        if n % 50 == 0:
            await asyncio.sleep(0.003)
    world.gateway.link_up()
    await until(lambda: len(world.face.delivered) >= 300)
    assert await unsettled(world) == 0
    assert texts(world.face) == [str(n) for n in range(300)]


async def test_only_so_many_are_on_their_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait in the store, not in memory, and hold up nobody else."""
    monkeypatch.setattr(inbox, "MOST_FLYING", 10)
    session = await online(world)
    world.face.fence = None
    for n in range(60):
        await session.tell("bob", str(n))
    await until(lambda: len(world.face.delivered) >= 10)
    assert texts(world.face) == [str(n) for n in range(10)]
    world.gateway.accounts.connect("carol@example.test", NET)
    await world.until_online("carol@example.test")
    await world.network.session.tell("bob", "for carol")
    assert texts(world.face)[-1] == "for carol"
    landed: list[asyncio.Future[str]] = []
    fences = (fence for _, fence in world.face.delivered if not fence.done())
    for n in range(60, 90):
        await until(lambda: len(world.face.delivered) > len(landed))
        landed.append(next(fences))
        landed[-1].set_result("fenced")
        await session.tell("bob", str(n))
        assert world.gateway._inbox.unsettled <= 11
    for _, fence in world.face.delivered:
        if not fence.done():
            fence.set_result("lost")
    world.gateway.link_down("gone")
    before = {message.content.text for message, fence in world.face.delivered if fence.result() == "fenced"}
    world.face.delivered.clear()
    world.face.fence = "fenced"
    world.gateway.link_up()
    rest = [text for text in [*map(str, range(90)), "for carol"] if text not in before]
    await until(lambda: len(world.face.delivered) >= len(rest))
    assert await unsettled(world) == 0
    assert sorted(texts(world.face)) == sorted(rest)
    assert [one for one in texts(world.face) if one.isdigit()] == rest[: len(rest) - ("for carol" in rest)]
    await until(lambda: not world.gateway._inbox._behind)
    assert not world.gateway._inbox._flying_of


async def test_a_replay_reads_what_is_not_yet_known_to_be_stored(world: World) -> None:
    """The database has it, the word of that comes late, and the replay goes on meanwhile."""
    session = await online(world, link=False)
    rows = world.gateway._inbox._rows
    put, pending = rows.put, rows.pending
    known, asked = asyncio.Event(), asyncio.Event()

    async def late(stored: asyncio.Future[Any]) -> Any:
        await known.wait()
        return await stored

    async def slow_page(gateway: str, after: int, *more: Any) -> Any:
        if after:
            asked.set()
            await known.wait()
        return await pending(gateway, after, *more)

    rows.put = lambda *row: asyncio.ensure_future(late(put(*row)))  # type: ignore[method-assign]
    rows.pending = slow_page  # type: ignore[method-assign,assignment]
    session.tell("bob", "one")
    rows.put = put  # type: ignore[method-assign]
    await session.tell("bob", "two")
    world.gateway.link_up()
    await asked.wait()
    assert texts(world.face) == ["two"]
    known.set()
    await until(lambda: texts(world.face) == ["two", "one"])


async def test_lost_although_the_link_is_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "LOST_SECONDS", 0.0)
    session = await online(world)
    world.face.fence = None
    await session.tell("bob", "hi")
    await until(lambda: world.face.delivered)
    world.face.fence = "fenced"
    world.face.delivered[0][1].set_result("lost")
    await until(lambda: len(world.face.delivered) == 2)
    assert world.face.delivered[0][0] == world.face.delivered[1][0]


async def test_bounced_is_tried_again_and_then_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "BOUNCE_SECONDS", 0.001)
    session = await online(world)
    world.face.fence = "bounced: service-unavailable away"
    await session.tell("bob", "secret words", "m1")
    await until(lambda: "refuses a message" in caplog.text)
    assert len(world.face.delivered) == inbox.BOUNCE_LIMIT
    assert await unsettled(world) == 0
    assert world.gateway._inbox._bounced == {}
    assert "secret words" not in caplog.text
    world.face.fence = "fenced"
    await session.tell("bob", "next")
    await until(lambda: texts(world.face)[-1] == "next")


async def test_a_replay_does_not_hurry_what_bounced(world: World) -> None:
    session = await online(world)
    world.face.fence = "bounced: wait"
    await session.tell("bob", "early")
    await until(lambda: world.gateway._inbox._resting)
    world.face.fence = "fenced"
    world.gateway.link_up()
    await session.tell("bob", "other")
    await until(lambda: "other" in texts(world.face))
    await until(lambda: not world.gateway._inbox._replaying)
    assert texts(world.face) == ["early", "other"]
    assert await unsettled(world) == 1


async def test_one_that_cannot_be_sent_holds_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = await online(world, link=False)
    await session.tell("bad", "poison")
    await session.tell("bob", "fine")
    jid = world.face.jid

    def picky(address: object) -> str:
        if getattr(address, "contact", "") == "bad":
            raise ValueError("no JID can carry this")
        return jid(address)  # type: ignore[arg-type]

    monkeypatch.setattr(world.face, "jid", picky)
    world.gateway.link_up()
    await until(lambda: texts(world.face) == ["fine"])
    await until(lambda: not world.gateway._inbox._replaying)
    assert "could not be delivered" in caplog.text
    assert "poison" not in caplog.text
    monkeypatch.undo()
    world.gateway.link_up()
    await until(lambda: texts(world.face) == ["fine", "poison"])


async def test_what_cannot_be_stored_is_not_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await online(world)

    def fail(*_: object) -> None:
        raise StoreError("closed")

    monkeypatch.setattr(world.store.inbox, "put", fail)
    with pytest.raises(ConnectionLost, match="database"):
        await session.tell("bob", "hi")
    assert world.face.delivered == []


async def test_a_correction_is_stored_as_well(world: World) -> None:
    session = await online(world)
    chat = DirectChat(ContactId("bob"))
    event = MessageCorrected(chat, OccupantId(""), MessageId("m2"), MessageId("m1"), Content("better"))
    world.gateway.link_down("gone")
    await session.emit(event, ("inbox", "18"))
    assert await unsettled(world) == 1
    assert await session.host.cursor("inbox") == "18"


# -- user to network


async def test_sent_in_order_and_settled(world: World) -> None:
    await world.start()
    for n in range(20):
        world.write(str(n), f"s{n}")
    await world.network.asked(SendMessage, 20)
    assert [c.content.text for c in world.network.of(SendMessage)] == [str(n) for n in range(20)]
    assert world.network.of(SendMessage)[3].key == "s3"
    await until(lambda: not world.live().lanes)
    assert await open_rows(world) == []


async def test_two_chats_do_not_block_each_other(world: World) -> None:
    gate = asyncio.Event()

    async def answer(session: ScriptedSession, command: object) -> Outcome:
        if isinstance(command, SendMessage) and command.chat == DirectChat(ContactId("slow")):
            await gate.wait()
        return Sent()

    await world.start()
    world.network.answer = answer
    slow = type(BOB)(NET, ContactId("slow"))
    world.write("first", "s1", address=slow)
    await world.network.asked(SendMessage)
    world.write("second", "s2", address=slow)
    world.write("quick", "s3")
    await world.network.asked(SendMessage, 2)
    assert [c.content.text for c in world.network.of(SendMessage)] == ["first", "quick"]
    gate.set()
    await world.network.asked(SendMessage, 3)


async def test_the_same_stanza_twice(world: World) -> None:
    await world.start()
    world.write("hello", "s1")
    world.write("hello", "s1")
    world.write("another with an id that was used before", "s1")
    world.write("hello", "s2")
    await world.network.asked(SendMessage, 3)
    await until(lambda: not world.live().lanes)
    assert [c.content.text[:7] for c in world.network.of(SendMessage)] == ["hello", "another", "hello"]
    await world.kill()
    await world.start(Network())
    world.write("hello", "s1")
    world.write("new", "s9")
    assert (await world.network.asked(SendMessage)).content.text == "new"


async def test_refused_is_told(world: World) -> None:
    async def refuse(session: ScriptedSession, command: object) -> Outcome:
        return Refused(Reason.NOT_FOUND, "no such user")

    await world.start()
    world.network.answer = refuse
    world.write("hello")
    failed = await world.face.wait("message_failed")
    assert failed.args == (PHONE, BOB_JID, "s1", Reason.NOT_FOUND, "no such user", False)
    assert await open_rows(world) == []


async def test_refused_while_nobody_can_be_told_is_told_later(world: World) -> None:
    async def refuse(session: ScriptedSession, command: object) -> Outcome:
        return Refused(Reason.NOT_FOUND, "no such user")

    await world.start()
    world.network.answer = refuse
    world.write("hello")
    world.gateway.link_down("gone")
    await world.network.asked(SendMessage)
    await until(lambda: not world.live().lanes)
    assert world.face.of("message_failed") == []
    world.gateway.link_up()
    assert world.face.of("message_failed")[0].args[3] is Reason.NOT_FOUND
    assert await open_rows(world) == []


async def test_later(world: World) -> None:
    answers: list[Outcome] = [
        Later(0.0, "busy"),
        Later(0.0, "busy"),
        Sent((SentPart(MessageId("x"), Content("")),)),
    ]

    async def answer(session: ScriptedSession, command: object) -> Outcome:
        return answers.pop(0)

    await world.start()
    world.network.answer = answer
    world.write("hello")
    await world.network.asked(SendMessage, 3)
    await until(lambda: not world.live().lanes)
    assert world.face.of("message_failed") == []
    assert await open_rows(world) == []


async def test_later_is_remembered_over_a_restart(world: World) -> None:
    async def answer(session: ScriptedSession, command: object) -> Outcome:
        return Later(3600.0, "come back in an hour")

    await world.start()
    world.network.answer = answer
    world.write("hello")
    await world.network.asked(SendMessage)
    await until(lambda: world.store.writer.backlog == 0)
    await world.kill()
    await world.start(Network())
    await world.until_online()
    world.write("and to somebody else", "s2", address=type(BOB)(NET, ContactId("carol")))
    sent = await world.network.asked(SendMessage)
    assert sent.content.text == "and to somebody else"
    assert await open_rows(world) == [False]


async def stuck(session: ScriptedSession, command: object) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_crash_in_the_middle_of_an_attempt(world: World) -> None:
    await world.start()
    world.network.answer = stuck
    world.write("one", "s1")
    world.write("two", "s2")
    await world.network.asked(SendMessage)
    await until(lambda: world.store.writer.backlog == 0)
    await world.kill()
    assert await open_rows(world) == [True, False]
    await world.start(Network(), link=False)
    assert (await world.network.asked(SendMessage)).content.text == "two"
    assert world.face.of("message_failed") == [], "nobody would hear it"
    world.gateway.link_up()
    failed = world.face.of("message_failed")
    assert [c.args[:5] for c in failed] == [(PHONE, BOB_JID, "s1", Reason.TIMEOUT, CRASHED)]
    await until(lambda: not world.live().lanes)
    assert await open_rows(world) == []


async def test_a_crash_where_sending_again_is_harmless(world: World) -> None:
    network = Network(resend_unknown=True)
    network.answer = stuck
    await world.start(network)
    world.write("one", "s1")
    await network.asked(SendMessage)
    await until(lambda: world.store.writer.backlog == 0)
    await world.kill()
    await world.start(Network(resend_unknown=True))
    again = await world.network.asked(SendMessage)
    assert (again.content.text, again.key) == ("one", "s1")
    assert world.face.of("message_failed") == []


async def test_unknown_is_not_tried_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RESEND_SECONDS", 0.0)
    monkeypatch.setattr(lanes, "LEAST_WAIT", 0.0)

    async def answer(session: ScriptedSession, command: object) -> Outcome:
        return Unknown("no answer")

    network = Network(resend_unknown=True)
    network.answer = answer
    await world.start(network)
    world.write("hello")
    assert (await world.face.wait("message_failed")).args[3:5] == (Reason.TIMEOUT, "no answer")
    assert len(network.of(SendMessage)) == outbox.RESEND_LIMIT


async def test_unknown_is_told(world: World) -> None:
    async def answer(session: ScriptedSession, command: object) -> Outcome:
        return Unknown("no answer")

    await world.start()
    world.network.answer = answer
    world.write("hello")
    assert (await world.face.wait("message_failed")).args[3:5] == (Reason.TIMEOUT, "no answer")


async def test_a_session_that_raises_in_a_command(world: World) -> None:
    async def answer(session: ScriptedSession, command: SendMessage) -> Outcome:
        raise ConnectionLost("in the middle") if command.key == "s1" else ZeroDivisionError

    await world.start()
    world.network.answer = answer  # type: ignore[assignment]
    world.write("one", "s1")
    world.write("two", "s2")
    first = await world.face.wait("message_failed")
    assert first.args[2:5] == ("s1", Reason.TIMEOUT, "in the middle")
    second = await world.face.wait("message_failed", count=2)
    assert second.args[2:5] == ("s2", Reason.INTERNAL, lanes.INTERNAL_TEXT)


async def test_the_network_goes_away_between_two_messages(world: World) -> None:
    await world.start()
    world.write("one", "s1")
    await world.network.asked(SendMessage)
    await until(lambda: not world.live().lanes)

    async def later(session: ScriptedSession, command: object) -> Outcome:
        if not session.over:
            session.fail(ConnectionLost("cable cut"))
            return Later(0.0, "cable cut")
        return Sent()

    world.network.answer = later
    world.write("two", "s2")
    await until(lambda: len(world.network.sessions) == 2)

    async def yes(session: ScriptedSession, command: object) -> Outcome:
        return Sent()

    world.network.answer = yes
    await world.network.asked(SendMessage, 3)
    await until(lambda: not world.live().lanes)
    assert world.face.of("message_failed") == []
    assert await open_rows(world) == []


async def test_a_command_that_hangs_on_a_dead_session(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "GRACE_SECONDS", 0.01)
    await world.start()
    world.network.answer = stuck
    world.write("one", "s1")
    await world.network.asked(SendMessage)
    world.network.session.fail(ConnectionLost("cable cut"))
    failed = await world.face.wait("message_failed")
    assert failed.args[2:5] == ("s1", Reason.TIMEOUT, "cable cut")
    await until(lambda: not world.live().lanes)


async def test_a_stop_keeps_what_waits(world: World) -> None:
    network = Network(on_demand=False)
    network.connect = refusing(ConnectionLost("down for days"))
    await world.start(network, chance=1.0)
    await world.gateway.accounts.register(ALICE, NET, {"nick": "al"})
    await until(lambda: world.live().state is SessionState.WAITING)
    world.write("keep this")
    await until(lambda: world.live().lanes)
    await world.gateway.stop("restart")
    assert world.face.of("message_failed") == []
    assert await open_rows(world) == [False]
    await world.start(Network(on_demand=False))
    assert (await world.network.asked(SendMessage)).content.text == "keep this"


async def test_what_waits_is_not_sent_for_who_has_unregistered(world: World) -> None:
    """Their number, say, may be somebody else's by then; nor does their session go on for it."""
    await world.start(Network(on_demand=False))
    await world.gateway.accounts.register(ALICE, NET, {"nick": "al"})
    await world.until_online()

    async def later(session: ScriptedSession, command: Command) -> Outcome:
        return Later(3600, "No link.") if command.key == "s1" else Sent()  # type: ignore[union-attr]

    world.network.answer = later
    world.write("one", "s1")
    world.write("two", "s2")
    await until(lambda: world.network.commands)
    assert await world.gateway.accounts.unregister(ALICE, NET)
    await world.face.wait("message_failed", count=2)
    told = [call.args[2:5] for call in world.face.of("message_failed")]
    assert told == [(key, Reason.GONE, UNREGISTERED) for key in ("s1", "s2")]
    assert world.live().session is None
    assert len(world.network.commands) == 1
    assert await open_rows(world) == []


async def test_a_login_that_is_refused_fails_what_waits(world: World) -> None:
    await world.start()
    world.network.connect = refusing(AuthFailed("wrong password"))
    world.write("one", "s1")
    world.write("two", "s2")
    await world.face.wait("message_failed", count=2)
    assert {c.args[3] for c in world.face.of("message_failed")} == {Reason.NOT_AUTHORIZED}
    assert await open_rows(world) == []


async def test_a_store_that_takes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.start()

    def fail(*_: object) -> None:
        raise StoreError("closed")

    monkeypatch.setattr(world.store.outbox, "put", fail)
    world.write("hello")
    failed = await world.face.wait("message_failed")
    assert failed.args[2:4] == ("s1", Reason.INTERNAL)


async def test_too_many_wait(world: World) -> None:
    await world.start(lane_length=2)
    world.network.answer = stuck
    for n in range(3):
        world.write(str(n), f"s{n}")
    failed = await world.face.wait("message_failed")
    assert failed.args[2:4] == ("s2", Reason.RATE_LIMITED)
    assert len(await open_rows(world)) == 2
