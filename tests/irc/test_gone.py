"""An ended session is gone at once: nothing of it waits for the garbage collector, which looks rarely at what
has lived for long."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from backends.irc import create
from bridge.api import ContactId, Content, DirectChat, RunCommand, SendMessage, Session
from tests.irc.recording_host import SECONDS, Driven, account_for, open_session, options_for
from tests.irc.scripted_server import ScriptedServer, scripted_server

ADA = DirectChat(ContactId("ada"))


@contextlib.contextmanager
def nothing_is_collected() -> Iterator[None]:
    """What refers to itself stays."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def closed(me: Driven, _server: ScriptedServer) -> None:
    await me.connected()
    await me.session.close("bye")


async def quit_by_hand(me: Driven, _server: ScriptedServer) -> None:
    await me.connected()
    await me.session.execute(RunCommand("quit bye"))


async def lost(me: Driven, server: ScriptedServer) -> None:
    await me.connected()
    server.hang_up()


async def lost_while_something_waits(me: Driven, server: ScriptedServer) -> None:
    await me.connected()
    server.answers_ping = False
    sending = asyncio.ensure_future(me.session.execute(SendMessage(ADA, "key", Content("hello"))))
    await server.heard("PRIVMSG ada")
    server.hang_up()
    await sending


async def closed_while_registering(me: Driven, server: ScriptedServer) -> None:
    await server.heard("USER")
    await me.session.close("bye")


async def refused(_me: Driven, server: ScriptedServer) -> None:
    await server.heard("USER")
    server.say(":irc.example.org 465 alice :You are banned", "ERROR :Closing link (banned)")
    server.hang_up()


ENDS = [closed, quit_by_hand, lost, lost_while_something_waits, closed_while_registering, refused]


@pytest.mark.parametrize("end", ENDS)
async def test_an_ended_session_is_gone(
    end: Callable[[Driven, ScriptedServer], Coroutine[Any, Any, None]],
) -> None:
    async with scripted_server() as server:
        server.welcomes = end not in (closed_while_registering, refused)
        with nothing_is_collected():
            me = open_session(create(options_for(server.port)), account_for())
            await end(me, server)
            await _is_gone(me)


async def test_a_session_that_never_connected_is_gone() -> None:
    with socket.socket() as closed_port, nothing_is_collected():
        closed_port.bind(("127.0.0.1", 0))
        me = open_session(create(options_for(closed_port.getsockname()[1])), account_for())
        await _is_gone(me)


async def _is_gone(me: Driven) -> None:
    error = await me.ended()
    if error is not None:
        error.with_traceback(None)  # as the core does
    gone: weakref.ref[Session] = weakref.ref(me.session)
    del me.session, me.running, error
    async with asyncio.timeout(SECONDS):
        while gone() is not None:  # what the loop still has to run may hold it for a moment
            await asyncio.sleep(0.01)
