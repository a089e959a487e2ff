"""Fixtures: the town, the phone network behind it, and alice with her client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.peers.smsc import PhoneNetwork
from tests.peers.xmpp_client import XmppClient, xmpp_client
from tests.sms.town import Town, phones_of, running_town


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """One for all tests of a module."""
    with running_town() as town:
        yield town


@pytest.fixture
async def phones(town: Town) -> AsyncIterator[PhoneNetwork]:
    """The phone network, with the bridge bound to it since before: a link that breaks with each test would
    be made again more and more slowly. Tests use numbers of their own."""
    async with phones_of(town) as phones:
        yield phones


@pytest.fixture
async def alice(town: Town) -> AsyncIterator[XmppClient]:
    """Alice, whose number the configuration names."""
    async with xmpp_client(town.xmpp, "alice") as alice:
        yield alice
