"""Texts as chat where the XMPP server is ejabberd: what depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.peers.ejabberd import EjabberdSetup, running_ejabberd
from tests.peers.xmpp_client import XmppServer
from tests.sms import test_chat
from tests.sms.flood import flood
from tests.sms.test_kill import LIMITS, OPTIONS
from tests.sms.town import GATEWAY, Town, running_town

test_a_text_arrives_and_is_answered = test_chat.test_a_text_arrives_and_is_answered
test_failures_have_a_reason = test_chat.test_failures_have_a_reason
test_a_name_that_sends_texts = test_chat.test_a_name_that_sends_texts
test_a_short_code = test_chat.test_a_short_code
test_a_number_as_one_writes_it_at_home = test_chat.test_a_number_as_one_writes_it_at_home
test_vcard_and_identity = test_chat.test_vcard_and_identity


@pytest.fixture(scope="module")
def xmpp() -> Iterator[XmppServer]:
    """One for all tests of this module."""
    with running_ejabberd(EjabberdSetup(components={GATEWAY: "sekrit"})) as ejabberd:
        yield ejabberd


@pytest.fixture(scope="module")
def town(xmpp: XmppServer) -> Iterator[Town]:
    """One for all tests of this module."""
    with running_town(xmpp) as town:
        yield town


@pytest.mark.heavy
async def test_the_bridge_is_killed() -> None:
    setup = EjabberdSetup(components={GATEWAY: "sekrit"})
    with running_ejabberd(setup) as xmpp, running_town(xmpp, options=OPTIONS, limits=LIMITS) as town:
        async with flood(town, count=150, seed=41) as place:

            async def strike() -> None:
                place.may_write.clear()
                await asyncio.to_thread(town.bridge.kill)
                place.note_unstored()
                await asyncio.to_thread(town.bridge.start)
                place.may_write.set()

            await place.run(strike, 3)
            await place.all_in()
            await place.all_out()
            place.check("bridge killed 3 times beside ejabberd, seed 41")
