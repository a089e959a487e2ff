"""Long texts of which a part never comes: what there is is shown after a while, with what is missing marked,
also where the bridge was restarted meanwhile."""

from __future__ import annotations

import pytest

from tests.peers.smsc import PhoneNetwork, address
from tests.peers.xmpp_client import message, xmpp_client
from tests.sms.test_chat import somebody
from tests.sms.town import ALICE, phones_of, puppet, running_town

pytestmark = pytest.mark.heavy

PARTS_SECONDS = 10  # the least that may be set


async def part(phones: PhoneNetwork, sender: str, text: str, number: int, count: int) -> None:
    """One part of a long text arrives."""
    udh = bytes([5, 0, 3, 99, count, number])
    short_message = {"hex": (udh + text.encode()).hex()}
    given = await phones.deliver(
        {**address(sender, ALICE), "esm_class": 0x40, "short_message": short_message}
    )
    assert await phones.answer(given) == 0


async def test_what_is_missing_is_marked() -> None:
    with running_town(route={"parts_seconds": PARTS_SECONDS}) as town:
        async with xmpp_client(town.xmpp, "alice") as alice:
            rose, tom, ann = somebody(), somebody(), somebody()
            async with phones_of(town) as phones:
                await part(phones, rose, "the beginning", 1, 2)
                await part(phones, tom, "the end", 3, 3)
                await part(phones, ann, "both ", 1, 2)
            await town.bridge.restart(crash=True)
            async with phones_of(town) as phones:
                await part(phones, ann, "halves", 2, 2)
                await part(phones, tom, "the beginning,", 1, 3)
                await phones.text(ann, ALICE, "a short one")
            await alice.wait(message(puppet(ann), "both halves"))
            await alice.wait(message(puppet(ann), "a short one"))
            early = {str(s["from"].bare) for s in alice.stanzas if s["body"]}
            assert early == {puppet(ann)}
            got = await alice.wait(message(puppet(rose)), PARTS_SECONDS + 10)
            assert got["body"] == "the beginning [part 2 of 2 is missing]"
            got = await alice.wait(message(puppet(tom)), PARTS_SECONDS + 10)
            assert got["body"] == "the beginning, [part 2 of 3 is missing] the end"
