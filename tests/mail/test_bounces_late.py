"""A mail bounces while the XMPP server is away: the user hears of it when they are back."""

from __future__ import annotations

import asyncio

import pytest

from tests.mail.town import ELSEWHERE, OURS, PASSWORD, puppet, running_town
from tests.peers.daemon import Daemon
from tests.peers.xmpp_client import XmppClient, xmpp_client

pytestmark = pytest.mark.heavy

ROSE = f"rose@{ELSEWHERE}"


@pytest.mark.parametrize("domain", [OURS, ELSEWHERE])
async def test_a_bounce_while_the_xmpp_server_is_away(domain: str) -> None:
    own = f"alice@{domain}"
    with running_town() as town:
        server = town.xmpp
        assert isinstance(server, Daemon)
        town.add_mailbox(ROSE)
        town.add_mailbox(f"alice@{ELSEWHERE}")
        await town.postfix.configure(defer_transports="lmtp")
        async with xmpp_client(server, "alice", "desk") as alice:
            fields = {"password": PASSWORD, **town.servers()} if domain == ELSEWHERE else {}
            await town.register(alice, email=own, **fields)
            alice.say(puppet(ROSE), "hello")
            await town.postfix.wait_queue(1)
        await asyncio.to_thread(server.kill)
        # now nobody takes it, and a report goes back
        await town.postfix.configure(
            defer_transports="",
            transport_maps=f"inline:{{ {{ {ROSE} = error:5.2.2 mailbox full }}, "
            + town.postfix.setting("transport_maps").removeprefix("inline:{ "),
        )
        await town.postfix.wait_log("mailbox full")
        await asyncio.to_thread(server.start)
        async with xmpp_client(server, "alice", "desk") as alice:
            assert "mailbox full" in await bounced(alice)


async def bounced(alice: XmppClient) -> str:
    """What is told of the message, as an error or as a message."""
    found = await alice.wait(lambda s: s.name == "message" and "mailbox full" in str(s), 60.0)
    return str(found)
