"""A server that stands still for a while is waited for: a new stream would double what it still reads."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from bridge.xmpp.fence import FENCED, LOST, Fence
from tests.fence.town import town
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.xmpp_wire.raw import Seen, linked

pytestmark = pytest.mark.heavy

STALL_SECONDS = 12
"""Longer than the ten seconds after which one might think that the server is gone."""


async def test_a_stalled_server_is_waited_for(server: Prosody | Ejabberd, inspircd: Inspircd) -> None:
    async with town(server, inspircd) as place:
        await place.move_in()
        place.online("alice", "bob", "dave", "erin")
        tap = place.tap
        stream = tap.streams[-1]
        pid = server.pid
        stopped = tap.when(lambda: len(stream.sent) >= 150, lambda: os.killpg(pid, signal.SIGSTOP))
        while not stopped.is_set():
            await place.say(1)
            await tap.until(lambda: stopped.is_set() or place.said - len(tap.bodies) < 50, "the bridge")
        await place.say(20)
        await asyncio.sleep(STALL_SECONDS)
        os.killpg(pid, signal.SIGCONT)
        await place.all_fenced()
        assert tap.streams == [stream]
        await asyncio.gather(*(person.read_archive() for person in place.people))
        await asyncio.gather(*(person.go() for person in place.people))
        for person in place.people:
            person.check()
            assert set(person.shown.values()) == {1}, "nobody sees anything twice"
            assert list(person.found.values()) == person.said


async def test_after_a_stream_that_was_given_up_there_is_a_new_one(prosody: Prosody) -> None:
    """Our end is given up while the server stands still: it finds both streams when it goes on."""
    alice = prosody.jid("alice")
    xml = f"<message from='x@irc.example.test' to='{alice}' type='chat' id='m1'><body>hi</body></message>"
    async with linked(prosody.component_port, handshake_seconds=1) as link:
        seen = Seen(link)
        await seen.until(lambda: seen.ups == 1)
        fence = Fence(link, link.config.domain, prosody.host, wait_seconds=0.5)
        told = link.on_down
        link.on_down = lambda problem: (fence.lost(), told(problem))  # type: ignore[func-returns-value,assignment]
        os.killpg(prosody.pid, signal.SIGSTOP)
        assert await asyncio.wait_for(fence.send("m1", xml, alice), 10) == LOST
        assert [problem.kind for problem in seen.downs] == ["silent"]
        os.killpg(prosody.pid, signal.SIGCONT)
        await seen.until(lambda: seen.ups == 2, 60)
        assert await asyncio.wait_for(fence.send("m1", xml, alice), 10) == FENCED
