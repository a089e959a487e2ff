"""Converse.js in headless Chromium, as the demo and the end-to-end tests use it."""

from __future__ import annotations

from tests.peers.converse import PageSetup, open_converse, serving
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import message, xmpp_client


async def test_a_person_in_the_page_talks_in_a_room(prosody: Prosody) -> None:
    room = f"garden@conference.{prosody.host}"
    accounts = {name: (prosody.jid(name), prosody.password(name)) for name in ("alice", "bob")}
    with serving(PageSetup(prosody.websocket_url, accounts, rooms=[room])) as url:
        async with open_converse(url) as page, xmpp_client(prosody, "bob") as bob:
            await page.wait_room()
            bob.send(f"<presence to='{room}/bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            await page.wait_occupant("bob")
            await page.send("hello from the page")
            await bob.wait(message(from_=f"{room}/alice", body="hello from the page"))
            bob.say(room, "hello <back> from bob", kind="groupchat")
            await page.wait_message("hello <back> from bob")
