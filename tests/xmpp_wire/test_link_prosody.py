"""The stream and the fence against a real Prosody, with a real client at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slixmpp import ClientXMPP

from bridge.xmpp import escape
from bridge.xmpp.fence import FENCED, LOST, Fence
from bridge.xmpp.inbound import InMessage
from bridge.xmpp.iqs import InIq, IqFailed
from tests.peers.prosody import Prosody, running_prosody
from tests.xmpp_wire.raw import Seen, linked, polled

ILLEGAL = "bold \x02 nul \x00 surrogate \ud800 end \ufffe \uffff tab\t < & ]]> \n."
ARRIVES = "bold  nul  surrogate \ufffd end   tab\t < & ]]> \n."


class Client(ClientXMPP):
    """A logged-in account that keeps the messages it gets."""

    def __init__(self, jid: str, password: str) -> None:
        super().__init__(jid, password)  # type: ignore[no-untyped-call]
        self.got: asyncio.Queue[Any] = asyncio.Queue()
        self.enable_starttls = False
        self.enable_direct_tls = False
        self.enable_plaintext = True
        self.plugin["feature_mechanisms"].unencrypted_scram = True
        self.add_event_handler("message", self.got.put_nowait)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.got.get(), 10)


@contextlib.asynccontextmanager
async def logged_in(prosody: Prosody, user: str) -> AsyncIterator[Client]:
    client = Client(f"{prosody.jid(user)}/desk", prosody.password(user))
    started = asyncio.create_task(client.wait_until("session_start", 10))
    await asyncio.sleep(0)
    client.connect("127.0.0.1", prosody.c2s_port)
    await started
    client.send_presence()
    try:
        yield client
    finally:
        await client.disconnect()


@contextlib.asynccontextmanager
async def component(prosody: Prosody, **settings: object) -> AsyncIterator[Any]:
    async with linked(prosody.component_port, **settings) as link:
        await polled(lambda: link.up or link.problem)
        yield link


async def test_accepted_and_answered(prosody: Prosody) -> None:
    async with component(prosody) as link:
        assert link.up
        result = await link.iqs.request(
            "example.test", link.config.domain, "get", "<ping xmlns='urn:xmpp:ping'/>"
        )
        assert result.get("type") == "result"
        with pytest.raises(IqFailed) as failed:
            await link.iqs.request("example.test", link.config.domain, "get", "<no xmlns='such:thing'/>")
        assert failed.value.condition == "service-unavailable"


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"secret": "wrong"}, "wrong-secret"), ({"domain": "no.example.test"}, "host-unknown")],
)
async def test_refusals(prosody: Prosody, settings: dict[str, object], kind: str) -> None:
    async with component(prosody, **settings) as link:
        assert link.problem.kind == kind


async def test_a_second_gateway_is_told_and_takes_over_when_the_first_ends(prosody: Prosody) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with component(prosody) as first:
            second = await stack.enter_async_context(component(prosody))
            assert second.problem.kind == "conflict"
            assert first.up
        await polled(lambda: second.up)


async def test_illegal_characters_never_close_the_stream(prosody: Prosody) -> None:
    async with component(prosody) as link, logged_in(prosody, "alice") as alice:
        seen = Seen(link)
        sender = "weird\u2603@irc.example.test"
        to = f"from='{sender}/{escape.attr('a < b & c 🦀')}' to='{alice.boundjid.full}' type='chat'"
        link.write(f"<message {to} id='{escape.attr(ILLEGAL)}'><body>{escape.text(ILLEGAL)}</body></message>")
        got = await alice.next()
        assert got["body"] == ARRIVES
        # Prosody itself writes white space in attributes (and \r) raw, so it arrives as spaces
        assert got.xml.get("id") == ARRIVES.replace("\t", " ").replace("\n", " ")
        assert got.xml.get("from") == f"{sender}/a < b & c 🦀"
        assert link.up
        assert not seen.downs


async def test_a_message_and_a_request_come_in(prosody: Prosody) -> None:
    async with component(prosody) as link, logged_in(prosody, "alice") as alice:
        got: asyncio.Queue[InMessage] = asyncio.Queue()
        link.on_message = got.put_nowait

        async def version(_: InIq) -> str:
            return "<query xmlns='jabber:iq:version'><name>gateway &amp; more</name></query>"

        link.iqs.register("get", "{jabber:iq:version}query", version)
        alice.send_message(mto="#c%irc.x@irc.example.test/nick", mbody="hé <b>", mtype="groupchat")
        message = await asyncio.wait_for(got.get(), 10)
        assert (message.sender, message.to_local, message.to_resource) == (
            "alice@example.test/desk", "#c%irc.x", "nick",
        )  # fmt: skip
        assert (message.body, message.type) == ("hé <b>", "groupchat")
        query = alice.make_iq_get(queryxmlns="jabber:iq:version", ito="irc.example.test")
        result = await query.send(timeout=10)
        assert result.xml.findtext("{*}query/{*}name") == "gateway & more"


async def test_a_resource_with_an_emoji_is_welcome(prosody: Prosody) -> None:
    async with component(prosody) as link, logged_in(prosody, "alice") as alice:
        got: asyncio.Queue[InMessage] = asyncio.Queue()
        link.on_message = got.put_nowait
        alice.send_raw("<message to='x@irc.example.test/🦀'><body>hi</body></message>")
        assert (await asyncio.wait_for(got.get(), 10)).to == "x@irc.example.test/🦀"


async def test_the_fence_and_a_bounce_before_it(prosody: Prosody) -> None:
    async with component(prosody) as link, logged_in(prosody, "alice") as alice:
        fence = Fence(link, link.config.domain, link.config.server)

        def message(stanza: InMessage) -> None:
            if stanza.error is not None:
                assert fence.bounced(stanza.sender, stanza.id, stanza.error)

        link.on_message = message
        futures = []
        for number in range(300):
            to = "nobody@example.test" if number % 3 == 2 else "alice@example.test"
            head = f"<message from='a@irc.example.test' to='{to}' id='m{number}' type='chat'>"
            xml = f"{head}<body>{number}</body></message>"
            futures.append(fence.send(f"m{number}", xml, to))
        outcomes = await asyncio.wait_for(asyncio.gather(*futures), 20)
        assert outcomes == [FENCED, FENCED, "bounced: service-unavailable"] * 100
        wanted = [str(number) for number in range(300) if number % 3 != 2]
        assert [(await alice.next())["body"] for _ in wanted] == wanted


async def test_a_stalled_server_is_waited_for() -> None:
    with running_prosody() as prosody:
        async with component(prosody) as link:
            seen = Seen(link)
            fence = Fence(link, link.config.domain, link.config.server)
            os.kill(prosody.pid, signal.SIGSTOP)
            xml = "<message from='a@irc.example.test' to='alice@example.test' id='m1'/>"
            futures = [fence.send(f"m{number}", xml, "alice@example.test") for number in range(101)]
            done, _ = await asyncio.wait(futures, timeout=0.5)
            assert not done, "sending goes no further"
            assert link.up
            os.kill(prosody.pid, signal.SIGCONT)
            settled = await asyncio.wait_for(asyncio.gather(*futures), 10)
            assert set(settled) == {FENCED}
            assert not seen.downs


async def test_a_server_killed_and_started_again() -> None:
    with running_prosody() as prosody:
        async with component(prosody, stable_seconds=0) as link, logged_in(prosody, "alice"):
            seen = Seen(link)
            fence = Fence(link, link.config.domain, link.config.server)
            await asyncio.to_thread(prosody.kill)
            xml = "<message from='a@irc.example.test' to='alice@example.test' id='m1'/>"
            assert await asyncio.wait_for(fence.send("m1", xml, "alice@example.test"), 10) == LOST
            await seen.until(lambda: seen.downs)
            assert seen.downs[0].kind == "closed"
            await polled(lambda: link.problem.kind == "unreachable")
            await asyncio.to_thread(prosody.start)
            await seen.until(lambda: seen.ups == 1)
            assert await asyncio.wait_for(fence.send("m1", xml, "alice@example.test"), 10) == FENCED
