"""What is over is gone at once: it does not wait for the garbage collector, which looks rarely at what has
lived for long."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator

from bridge.api import ConnectionLost, SendMessage
from bridge.core.values import SessionState
from tests.core.conftest import ALICE, NET, World
from tests.core.face import until

MESSAGES = 30


@contextlib.contextmanager
def nothing_is_collected() -> Iterator[None]:
    """What refers to itself stays."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def test_messages_leave_nothing_to_look_for(world: World) -> None:
    await world.start()
    await world.joined()
    with nothing_is_collected():
        for number in range(MESSAGES):
            world.write(f"message {number}", f"s{number}")
            await world.network.asked(SendMessage, number + 1)
            await until(lambda: not world.live().lanes)
        await world.store.writer.flush()
        assert gc.collect() < MESSAGES


async def test_a_session_that_was_lost_is_gone(world: World) -> None:
    await world.start()
    await world.joined()
    with nothing_is_collected():
        gone = weakref.ref(world.network.session)
        world.network.session.fail(ConnectionLost("gone"))
        world.network.sessions.clear()
        await until(lambda: gone() is None)


async def test_who_waited_in_vain_is_gone(world: World) -> None:
    await world.start()

    async def refuse(_session: object) -> None:
        raise ConnectionLost("no way")

    world.network.connect = refuse
    with nothing_is_collected():
        world.write("hello")
        await world.face.wait("message_failed")
        await until(lambda: world.live(ALICE, NET).state is SessionState.IDLE)
        gone = weakref.ref(world.network.session)
        world.network.sessions.clear()
        await until(lambda: gone() is None)
