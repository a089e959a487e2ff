"""Fixtures: the town, and people with names of their own for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.mail.town import ELSEWHERE, OURS, PASSWORD, Town, running_town
from tests.peers.xmpp_client import XmppClient, xmpp_client

NICK = "{http://jabber.org/protocol/nick}nick"
REPLY = "{urn:xmpp:reply:0}reply"
FALLBACK = "{urn:xmpp:fallback:0}fallback/{urn:xmpp:fallback:0}body"
OOB = "{jabber:x:oob}x/{jabber:x:oob}url"
THREAD = "{jabber:client}thread"
SUBJECT = "{jabber:client}subject"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """One for all tests of a module."""
    with running_town() as town:
        yield town


class People:
    """Alice on XMPP with the address `own`, and rose, who has a mailbox elsewhere."""

    def __init__(self, town: Town, alice: XmppClient, own: str, rose: str) -> None:
        self.town, self.alice, self.own, self.rose = town, alice, own, rose


async def _people(town: Town, own_domain: str) -> AsyncIterator[People]:
    number = next(_numbers)
    own, rose = f"alice{number}@{own_domain}", f"rose{number}@{ELSEWHERE}"
    town.add_mailbox(rose)
    async with xmpp_client(town.xmpp, "alice") as alice:
        if own_domain == OURS:
            await town.register(alice, email=own, name="Alice")
        else:
            town.add_mailbox(own)
            await town.register(alice, email=own, password=PASSWORD, name="Alice", **town.servers())
        yield People(town, alice, own, rose)
        await alice.iq(
            "email.example.test", "<query xmlns='jabber:iq:register'><remove/></query>", "set", seconds=30.0
        )


@pytest.fixture(params=[OURS, ELSEWHERE], ids=["domain", "mailbox"])
async def people(town: Town, request: pytest.FixtureRequest) -> AsyncIterator[People]:
    """With an address in our domain, and with a mailbox elsewhere."""
    async for found in _people(town, request.param):
        yield found


@pytest.fixture
async def mailbox(town: Town) -> AsyncIterator[People]:
    """With a mailbox elsewhere."""
    async for found in _people(town, ELSEWHERE):
        yield found
