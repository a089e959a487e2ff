"""How sessions come, go, fail and come back, and who hears of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from bridge.api import (
    AuthFailed,
    Connected,
    ConnectionLost,
    ContactAddress,
    ContactId,
    Content,
    Departure,
    JoinRoom,
    NetworkId,
    NetworkNotice,
    Outcome,
    Reason,
    RoomAddress,
    RoomId,
    RoomNotice,
    SendMessage,
    Sent,
)
from bridge.core import events, supervisor
from bridge.core.attempts import MOST_FAILURES
from bridge.core.events import QUIT_TEXT
from bridge.core.room import RoomState
from bridge.core.values import Outgoing, SessionState
from tests.core.conftest import ALICE, LAPTOP, NET, PHONE, ROOM, ROOM_JID, World
from tests.core.face import until
from tests.core.network import Network, ScriptedSession, refusing

CAROL = "carol@example.test"
NEVER = 1.0
"""A chance with which the first back-off is two seconds: longer than any of these tests."""


def state(world: World, user: str = ALICE) -> SessionState:
    return world.live(user).state


async def test_the_way_of_a_session(world: World) -> None:
    await world.start()
    assert state(world) is SessionState.IDLE
    ready = asyncio.Event()

    async def slowly(session: ScriptedSession) -> None:
        await ready.wait()
        session.emit(Connected("me"))

    world.network.connect = slowly
    world.join()
    assert state(world) is SessionState.CONNECTING
    await until(lambda: world.network.sessions)
    ready.set()
    await world.face.wait("room_entered")
    assert state(world) is SessionState.ONLINE
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    world.gateway.rooms.leave(room, PHONE, "bye")
    await until(lambda: state(world) is SessionState.IDLE)
    assert world.network.session.closed_with == "bye"
    assert world.live().session is None


async def test_lost_then_waiting_then_back(world: World) -> None:
    await world.start(chance=NEVER)
    room = await world.joined()
    world.network.session.fail(ConnectionLost("cable cut"))
    await until(lambda: state(world) is SessionState.WAITING)
    status = world.gateway.accounts.status(ALICE)[0]
    assert status.text == "cable cut"
    assert status.until > 0
    left = world.face.of("room_left")[0]
    assert left.args == (ROOM_JID, (PHONE,), Departure.DISCONNECTED, "", "cable cut", 0)
    assert room.state is RoomState.LOST
    assert [c.args[2] for c in world.face.of("network_text", PHONE)] == ["ERROR: cable cut"]
    world.gateway.accounts.connect(ALICE, NET)
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert state(world) is SessionState.ONLINE
    assert len(world.network.sessions) == 2


async def test_failures_in_a_row_wait_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []

    def delay(attempt: int, chance: float) -> float:
        waits.append(attempt)
        return 0.0

    monkeypatch.setattr(supervisor, "delay", delay)
    await world.start()
    await world.joined()
    world.network.connect = refusing(ConnectionLost("still down"))
    world.network.session.fail()
    await until(lambda: len(waits) >= 4)
    assert waits[:4] == [1, 2, 3, 4]

    async def connect(session: ScriptedSession) -> None:
        session.emit(Connected("me"))

    world.network.connect = connect
    await world.until_online()
    world.now += supervisor.STEADY_SECONDS + 1
    del waits[:]
    world.network.session.fail()
    await until(lambda: waits)
    assert waits[0] == 1


async def test_first_connect_fails(world: World) -> None:
    await world.start()
    world.network.connect = refusing(ConnectionLost("Domain name not found", Reason.NO_SUCH_NETWORK))
    world.join()
    refused = await world.face.wait("room_refused")
    assert refused.args == (ROOM_JID, PHONE, Reason.NO_SUCH_NETWORK, "Domain name not found")
    await until(lambda: state(world) is SessionState.IDLE)
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None
    assert len(world.network.sessions) == 1


def told(world: World, to: str = PHONE) -> list[str]:
    """What the network's own address said."""
    return [call.args[2] for call in world.face.of("network_text", to)]


def talking(*texts: str, then: str = "") -> Callable[[ScriptedSession], Awaitable[None]]:
    """A connect that says so, and fails `then`."""

    async def connect(session: ScriptedSession) -> None:
        for text in texts:
            session.emit(NetworkNotice(text))
        if then:
            raise ConnectionLost(then)
        session.emit(Connected("me"))

    return connect


async def retries(world: World) -> None:
    """Return after some."""
    enough = len(world.network.sessions) + 4
    await until(lambda: len(world.network.sessions) >= enough)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No back-off."""
    monkeypatch.setattr(supervisor, "delay", lambda *_: 0.0)


@pytest.mark.usefixtures("at_once")
async def test_retries_are_told_once_they_come_to_something_new(world: World) -> None:
    await world.start()
    world.network.connect = talking("Connecting", "Connected to it")
    await world.joined()
    assert told(world) == ["Connecting", "Connected to it"]
    world.face.calls.clear()
    world.network.connect = talking("Connecting", "Failed: refused", then="Failed: refused")
    world.network.session.fail()
    await retries(world)
    assert told(world) == ["ERROR: cable cut", "Connecting", "Failed: refused"]
    world.face.calls.clear()
    world.network.connect = talking("Connecting", then="Failed: timed out")
    await retries(world)
    world.network.connect = talking("Connecting", "Failed: refused", then="Failed: refused")
    await retries(world)
    assert told(world) == ["Connecting", "ERROR: Failed: timed out"]
    world.face.calls.clear()
    world.network.connect = talking("Connecting", "Connected to it")
    await world.face.wait("room_entered")
    assert told(world) == ["Connecting", "Connected to it"]


async def test_an_attempt_that_was_asked_for_is_told(world: World) -> None:
    await world.start(chance=NEVER)
    world.network.connect = talking("Connecting", then="down")
    world.gateway.rooms.keep(ALICE, ROOM, "al")
    await until(lambda: state(world) is SessionState.WAITING)
    for _ in range(2):
        asked = len(world.network.sessions) + 1
        world.gateway.accounts.connect(ALICE, NET)
        await until(lambda asked=asked: len(world.network.sessions) == asked)
        await until(lambda: state(world) is SessionState.WAITING)
    assert told(world, ALICE) == ["Connecting", "ERROR: down"] * 3


async def _registered(world: World) -> Network:
    """An account that lives as long as its registration, and is online; nobody sits in it."""
    network = Network(on_demand=False)
    await world.start(network, chance=NEVER)
    await world.gateway.accounts.register(ALICE, NET, {})
    await until(lambda: state(world) is SessionState.ONLINE)
    world.face.calls.clear()
    return network


@pytest.mark.usefixtures("at_once")
async def test_a_break_that_mends_soon_is_not_told_to_somebody_who_does_not_sit_there(world: World) -> None:
    network = await _registered(world)
    connect, network.connect = network.connect, talking("Connecting", then="still down")
    network.session.fail()
    await retries(world)
    network.connect = connect
    await until(lambda: state(world) is SessionState.ONLINE)
    assert told(world, ALICE) == []
    network.session.fail(AuthFailed("wrong password"))
    await until(lambda: state(world) is SessionState.NEEDS_LOGIN)
    assert told(world, ALICE) == ["ERROR: wrong password"]


async def test_a_break_that_does_not_mend_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MEND_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "delay", lambda *_: 0.01)
    network = await _registered(world)
    network.connect = refusing(ConnectionLost("still down"))
    network.session.fail()
    await world.face.wait("network_text")
    await retries(world)
    assert told(world, ALICE) == ["ERROR: still down"]


@pytest.mark.usefixtures("at_once")
async def test_reasons_that_are_always_new_are_not_told_for_ever(world: World) -> None:
    await world.start()
    numbers = count()

    async def connect(session: ScriptedSession) -> None:
        raise ConnectionLost(f"refused: {next(numbers)}")

    world.network.connect = connect
    world.gateway.rooms.keep(ALICE, ROOM, "al")
    await until(lambda: len(world.network.sessions) > MOST_FAILURES + 2)
    assert told(world, ALICE) == [f"ERROR: refused: {number}" for number in range(MOST_FAILURES)]


async def test_a_user_who_quits_is_not_brought_back(world: World) -> None:
    await world.start()
    room = await world.joined()
    world.gateway.rooms.keep(ALICE, ROOM, "al")
    world.gateway.accounts.connect(ALICE, NET)
    world.network.session.quit()
    await until(lambda: state(world) is SessionState.IDLE)
    assert told(world) == [QUIT_TEXT]
    assert world.face.of("room_left")[0].args[1:4] == ((PHONE,), Departure.QUIT, "")
    assert room.state is RoomState.OUT
    assert len(world.network.sessions) == 1
    other = RoomAddress(NET, RoomId("#other"))
    await world.joined(PHONE, other)
    await until(lambda: room.joined)
    assert len(world.network.sessions) == 2


async def test_wrong_password(world: World) -> None:
    await world.start()
    world.network.connect = refusing(AuthFailed("wrong password"))
    world.join()
    refused = await world.face.wait("room_refused")
    assert refused.args[2:] == (Reason.NOT_AUTHORIZED, "wrong password")
    await until(lambda: state(world) is SessionState.NEEDS_LOGIN)
    world.write("hello")
    failed = await world.face.wait("message_failed")
    assert failed.args[3:5] == (Reason.NOT_AUTHORIZED, "wrong password")
    assert len(world.network.sessions) == 1, "a message is no reason to offer the password again"
    world.now += 10_000
    world.gateway._pool.release_idle()
    assert world.gateway.accounts.status(ALICE) == []


async def test_wrong_password_without_a_room(world: World) -> None:
    network = Network(on_demand=False)
    network.connect = refusing(AuthFailed("wrong password"))
    await world.start(network)
    await world.gateway.accounts.register(ALICE, NET, {"nick": "al", "password": "pw"})
    heard = await world.face.wait("network_text", ALICE)
    assert heard.args[1:] == (f"{NET}@gw.test", "ERROR: wrong password")
    await until(lambda: state(world) is SessionState.NEEDS_LOGIN)
    assert network.sessions[0].account.secrets == {"password": "pw"}

    async def connect(session: ScriptedSession) -> None:
        session.emit(Connected("al"))

    network.connect = connect
    await world.gateway.accounts.register(ALICE, NET, {"nick": "al", "password": "better"})
    await world.until_online()
    assert network.session.account.secrets == {"password": "better"}


async def test_a_network_that_stays_away_is_told_once(world: World) -> None:
    network = Network(on_demand=False)
    network.connect = refusing(ConnectionLost("down"))
    await world.start(network)
    await world.gateway.accounts.register(ALICE, NET, {"nick": "al"})
    await until(lambda: len(network.sessions) > 3)
    assert len(world.face.of("network_text")) == 1


async def test_a_bug_in_one_session_is_its_own(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.start()
    await world.joined()
    await world.joined(f"{CAROL}/phone")
    world.network.sessions[0].fail(ZeroDivisionError("oops"))
    text = (await world.face.wait("network_text", PHONE)).args[2]
    case = text.partition("case ")[2].rstrip(")")
    assert case
    assert case in caplog.text
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert state(world, CAROL) is SessionState.ONLINE
    assert world.face.of("network_text", f"{CAROL}/phone") == []


async def test_a_bug_in_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.start()

    def broken(*_: object) -> ScriptedSession:
        raise ZeroDivisionError

    monkeypatch.setattr(world.network, "open", broken)
    world.join()
    refused = await world.face.wait("room_refused")
    assert refused.args[2] is Reason.INTERNAL
    await until(lambda: state(world) is SessionState.IDLE)


async def test_a_face_that_fails_leaves_no_session_without_supervisor(world: World) -> None:
    await world.start()
    await world.joined()
    world.face.breaks.add("network_text")
    world.network.session.fail()
    await until(lambda: state(world) in (SessionState.IDLE, SessionState.WAITING))
    world.face.breaks.clear()
    world.join(LAPTOP)
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)


async def test_close_in_time_and_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "CLOSE_SECONDS", 0.05)
    await world.start()
    await world.joined()
    session = world.network.session
    session.stubborn = True
    assert await world.gateway.accounts.disconnect(ALICE, NET, "so long")
    assert session.closed_with == "so long"
    assert session.cut_off
    assert state(world) is SessionState.IDLE
    left = world.face.of("room_left")[0]
    assert left.args[1:3] == ((PHONE,), Departure.QUIT)
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None


async def test_an_account_at_rest_keeps_nothing_of_its_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedSession, "at_once", lambda _session, _command: None, raising=False)
    await world.start()
    await world.joined()
    session = world.network.session
    live = world.live()
    world.network.sessions.clear()
    assert await world.gateway.accounts.disconnect(ALICE, NET, "")
    await until(lambda: state(world) is SessionState.IDLE)
    assert world.live() is live
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


async def test_an_error_while_closing_is_no_loss(world: World) -> None:
    await world.start()
    await world.joined()
    session = world.network.session

    async def close(reason: str) -> None:
        session.fail(ConnectionLost("Closing link: quit"))

    session.close = close  # type: ignore[method-assign]
    await world.gateway.accounts.disconnect(ALICE, NET, "")
    assert state(world) is SessionState.IDLE
    assert world.face.of("network_text") == []
    assert world.face.of("room_left")[0].args[2] is Departure.QUIT


async def test_disconnected_while_it_waits_for_its_turn(world: World) -> None:
    await world.start(connects_at_once=1)
    hung = asyncio.Event()

    async def hang(session: ScriptedSession) -> None:
        await hung.wait()

    world.network.connect = hang
    world.join(PHONE)
    await until(lambda: world.network.sessions)
    world.join(f"{CAROL}/phone")
    await asyncio.sleep(0)
    assert await world.gateway.accounts.disconnect(CAROL, NET, "")
    refused = await world.face.wait("room_refused", ROOM_JID, f"{CAROL}/phone")
    assert refused.args[2] is Reason.NETWORK_DOWN
    assert state(world, CAROL) is SessionState.IDLE
    assert len(world.network.sessions) == 1
    hung.set()


async def test_so_many_connect_at_once(world: World) -> None:
    await world.start(connects_at_once=2)
    gates: list[asyncio.Event] = []

    async def gated(session: ScriptedSession) -> None:
        gates.append(gate := asyncio.Event())
        await gate.wait()
        session.emit(Connected("me"))

    world.network.connect = gated
    users = [f"u{n}@example.test" for n in range(5)]
    for user in users:
        world.join(f"{user}/x")
    await until(lambda: len(gates) == 2)
    assert len(world.network.sessions) == 2
    for n in range(5):
        await until(lambda n=n: len(gates) > n)  # type: ignore[misc]
        assert len(gates) <= n + 2
        gates[n].set()
        await world.face.wait("room_entered", count=n + 1)


async def test_who_hangs_loses_the_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TURN_SECONDS", 0.01)
    await world.start(connects_at_once=1)

    hung = asyncio.Event()

    async def hang(session: ScriptedSession) -> None:
        if session.account.user != CAROL:
            await hung.wait()
        session.emit(Connected("me"))

    world.network.connect = hang
    world.join()
    await until(lambda: world.network.sessions)
    world.join(f"{CAROL}/phone")
    await world.face.wait("room_entered", ROOM_JID, f"{CAROL}/phone")
    assert state(world) is SessionState.CONNECTING
    hung.set()


async def test_join_while_closing(world: World) -> None:
    await world.start()
    room = await world.joined()
    first = world.network.session
    first.stubborn = True
    world.gateway.rooms.leave(room, PHONE, "")
    await until(lambda: first.closed_with is not None)
    world.join()
    assert world.live().session is None
    first._end.set_result(None)
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert len(world.network.sessions) == 2
    assert state(world) is SessionState.ONLINE
    assert len(world.face.of("room_left")) == 1
    assert len(world.network.of(JoinRoom)) == 2


async def test_release_and_ensure_many_times(world: World) -> None:
    await world.start()
    for _ in range(20):
        world.join()
        await asyncio.sleep(0)
        room = world.gateway.rooms.find(ALICE, ROOM_JID)
        assert room is not None
        world.gateway.rooms.leave(room, PHONE, "")
    world.join(LAPTOP)
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)
    assert sum(not session.over for session in world.network.sessions) == 1


async def test_connected_twice(world: World) -> None:
    await world.start()
    gate = asyncio.Event()

    async def answer(session: ScriptedSession, command: object) -> Outcome:
        await gate.wait()
        return Sent()

    world.network.answer = answer
    world.join()
    await world.network.asked(JoinRoom)
    world.network.session.emit(Connected("other"))
    gate.set()
    world.network.session.let_in("#room")
    await world.face.wait("room_entered")
    assert len(world.network.of(JoinRoom)) == 1
    assert world.live().name == "other"


async def test_what_an_ended_session_says(world: World) -> None:
    await world.start()
    room = await world.joined()
    old = world.network.session
    old.fail()
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    before = len(world.face.calls)
    old.let_out("#room", Departure.KICKED)
    old.say("#room", "ghost")
    old.emit(RoomNotice(RoomId("#room"), "ghost"))
    old.emit(Connected("ghost"))
    assert len(world.face.calls) == before
    assert room.joined
    assert world.live().name != "ghost"
    await old.tell("bob", "but this is kept", "m1")
    await world.face.wait("direct_message")


async def test_what_waits_for_a_session_is_told_that_it_does_not_come(world: World) -> None:
    await world.start()
    world.network.connect = refusing(ConnectionLost("down"))
    world.write("hello")
    failed = await world.face.wait("message_failed")
    assert failed.args[2:5] == ("s1", Reason.NETWORK_DOWN, "down")
    await until(lambda: not world.live().lanes)
    assert world.live()._waiters == []


async def test_events_that_cannot_be_handled(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.start()
    await world.joined()
    world.network.session.emit("nonsense")  # type: ignore[arg-type]
    world.face.breaks.add("room_message")
    world.network.session.say("#room", "one")
    world.face.breaks.clear()
    world.network.session.say("#room", "two")
    assert [c.args[1].content.text for c in world.face.of("room_message")] == ["one", "two"]
    assert "an event failed: MessageReceived" in caplog.text


async def test_stop_closes_all_and_waits(world: World) -> None:
    await world.start()
    room = await world.joined()
    await world.joined(f"{CAROL}/phone")
    await world.gateway.stop("maintenance")
    assert [s.closed_with for s in world.network.sessions] == ["maintenance"] * 2
    assert {c.args[2] for c in world.face.of("room_left")} == {Departure.DISCONNECTED}
    assert room.state is RoomState.OUT


async def test_idle_accounts_are_forgotten(world: World) -> None:
    gateway = await world.start()
    world.write("hi")
    await world.network.asked(SendMessage)
    await until(lambda: not world.live().lanes)
    gateway._pool.release_idle()
    assert state(world) is SessionState.ONLINE
    world.now += gateway.settings.idle_seconds + 1
    gateway._pool.release_idle()
    await until(lambda: state(world) is SessionState.IDLE)
    gateway._pool.release_idle()
    pool = gateway._pool
    assert (pool._live, pool._supervisors, pool._turns, pool._of_user) == ({}, {}, {}, {})


async def test_what_was_said_goes_out_before_the_account_leaves(world: World) -> None:
    await world.start()
    room = await world.joined()
    gate = asyncio.Event()
    heard: list[str] = []

    async def slowly(session: ScriptedSession, command: object) -> Outcome:
        await gate.wait()
        assert session.closed_with is None
        heard.append(type(command).__name__)
        return Sent()

    world.network.answer = slowly
    world.gateway.outbound.to_room(room, Outgoing(PHONE, "s1", Content("bye all")))
    world.gateway.rooms.leave(room, PHONE, "bye")
    gate.set()
    await until(lambda: state(world) is SessionState.IDLE)
    assert heard == ["SendMessage"]
    assert world.network.session.closed_with == "bye"


async def test_quota_of_networks(world: World) -> None:
    await world.start(networks_per_user=1)
    await world.joined()
    other = RoomAddress(NetworkId("other"), RoomId("#x"))
    world.join(address=other)
    refused = await world.face.wait("room_refused")
    assert refused.args[1:3] == (PHONE, Reason.RATE_LIMITED)
    world.write("hi", address=ContactAddress(NetworkId("other"), ContactId("bob")))
    assert world.face.of("message_failed")[0].args[3] is Reason.RATE_LIMITED
    assert len(world.network.sessions) == 1


async def test_nothing_is_logged_as_error_in_a_plain_life(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.start()
    room = await world.joined()
    world.network.session.say("#room", "hi")
    world.gateway.rooms.leave(room, PHONE, "")
    await until(lambda: state(world) is SessionState.IDLE)
    await world.gateway.stop("")
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
