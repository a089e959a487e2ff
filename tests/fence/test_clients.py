"""ejabberd, where a client's answer is the fence of an online user, and what is done where there is none."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from bridge.xmpp.clients import Clients
from bridge.xmpp.fence import FENCED, Fence
from bridge.xmpp.received import InMessage
from tests.fence.conftest import USERS
from tests.fence.town import Person, town
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.xmpp_wire.raw import linked, polled

pytestmark = pytest.mark.heavy


def knowing(*clients: str) -> Clients:
    known = Clients()
    for client in clients:
        known._seen(client)
    return known


async def test_when_a_client_has_answered_the_archive_survives_a_kill(ejabberd: Ejabberd) -> None:
    """The host's own ping overtakes messages to somebody who is online; one to the client does not."""
    alice = Person(ejabberd, "alice")
    client = await alice.come()
    async with linked(ejabberd.component_port) as link:
        await polled(lambda: link.up)
        fence = Fence(link, link.config.domain, ejabberd.host)
        fence.ping_clients(knowing(client.jid))
        outcomes = []
        for number in range(300):
            alice.said.append(f"private {number}")
            xml = (
                f"<message from='bob@irc.example.test' to='{alice.jid}' type='chat' id='m{number}'>"
                f"<body>{alice.said[-1]}</body><origin-id xmlns='urn:xmpp:sid:0' id='m{number}'/></message>"
            )
            outcomes.append(fence.send(f"m{number}", xml, alice.jid))
        async with asyncio.timeout(30):
            assert set(await asyncio.gather(*outcomes)) == {FENCED}
        os.killpg(ejabberd.pid, signal.SIGKILL)
    await asyncio.to_thread(ejabberd.kill)
    await alice.go()
    await asyncio.to_thread(ejabberd.start)
    await alice.come()
    await alice.read_archive()
    await alice.go()
    alice.check()


async def test_bounces_come_before_the_fence(server: Prosody | Ejabberd) -> None:
    alice = Person(server, "alice")
    client = await alice.come()
    async with linked(server.component_port) as link:
        await polled(lambda: link.up)
        fence = Fence(link, link.config.domain, server.host)
        if isinstance(server, Ejabberd):
            fence.ping_clients(knowing(client.jid))
        late = []

        def hear(message: InMessage) -> None:
            if message.error is not None and not fence.bounced(message.sender, message.id, message.error):
                late.append(message.id)

        link.on_message = hear
        outcomes = []
        for number in range(300):
            to = ("alice", "nobody", "bob")[number % 3]
            xml = (
                f"<message from='x@irc.example.test' to='{server.jid(to)}' type='chat' id='m{number}'>"
                f"<body>{number}</body></message>"
            )
            outcomes.append(fence.send(f"m{number}", xml, server.jid(to)))
        async with asyncio.timeout(30):
            settled = await asyncio.gather(*outcomes)
        assert settled == [FENCED, "bounced: " + settled[1].removeprefix("bounced: "), FENCED] * 100
        assert settled[1].startswith("bounced: service-unavailable")
        assert not late
    await alice.go()


async def test_what_only_the_server_vouched_for_comes_again_if_it_dies_soon(
    ejabberd: Ejabberd, inspircd: Inspircd
) -> None:
    """Messages to a client that has just gone are weak: they are kept for a while."""
    async with town(ejabberd, inspircd) as place:
        await place.move_in()
        tap, (alice, *others) = place.tap, place.people
        place.online(*USERS)
        first = tap.streams[-1]
        await place.say(1)
        await place.all_fenced()
        told = len(alice.said)
        await alice.go()
        place.online(*(person.name for person in others))
        await place.say(1)
        await place.all_fenced()
        weak = {id_ for id_ in first.sent if tap.bodies[id_][1] in alice.said[told:]}
        assert len(weak) == len(alice.said) - told
        tap.hold()
        place.kill()
        await asyncio.to_thread(ejabberd.kill)
        await asyncio.to_thread(ejabberd.start)
        for person in others:
            await person.go()
            await person.come()
        tap.let_through()
        await tap.until(
            lambda: len(tap.streams) == 2 and weak <= tap.streams[1].fenced, "the weak ones again"
        )
        assert weak == set(tap.streams[1].sent)
        await alice.come()
        for person in place.people:
            await person.read_archive()
            await person.go()
            person.check()


async def test_the_log_says_once_what_ejabberd_needs(ejabberd: Ejabberd, inspircd: Inspircd) -> None:
    async with town(ejabberd, inspircd) as place:
        await polled(lambda: "the XMPP server is ejabberd" in place.bridge.log_text())
        await ejabberd.restart()
        await polled(lambda: place.bridge.link_count() == 2, 30)
        await place.move_in()
        place.online(*USERS)
        await place.say(1)
        await place.all_fenced()  # by clients: so it was told apart again
        assert place.bridge.log_text().count("the XMPP server is ejabberd") == 1
        assert "mod_mam" in place.bridge.log_text()
