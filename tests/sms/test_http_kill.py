"""The bridge is killed in the middle of many texts by a provider, again and again: each text is in the chat
once, by id, and each message on its phone once, or its sender is told that it may or may not have arrived."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.mail.reader import Reader
from tests.peers.smsc import PhoneNetwork
from tests.peers.twilio import Called
from tests.sms.flood import LONG_EVERY, PEOPLE, TEXTS, Flood
from tests.sms.provider_town import ROUTE, Plan, ProviderTown, running_provider_town
from tests.sms.test_kill import LIMITS, OPTIONS
from tests.sms.town import ALICE, GATEWAY

pytestmark = pytest.mark.heavy

COUNT = 200
SEED = 51
_OUT = re.compile(r"^out (\d+)\b")


class ProviderFlood(Flood):
    """The flood where the phones are the provider's. Webhooks that are not answered with a 2xx are called
    again, up to five times; `given_up` are the texts whose last call failed, too."""

    def __init__(self, town: ProviderTown, reader: Reader, count: int, seed: int) -> None:
        no_phones: PhoneNetwork = None  # type: ignore[assignment]
        super().__init__(town, no_phones, reader, count, seed)
        self.provider = town.provider
        self.calls: set[asyncio.Task[Called]] = set()
        self.given_up: list[int] = []
        self._reported = 0

    async def _text(self, number: int) -> None:
        more = "" if number % LONG_EVERY else f" {'x' * 300}"
        sender = self.people[number % PEOPLE]
        self._call(asyncio.create_task(self._called(number, sender, f"in {number}{more}")))

    async def _called(self, number: int, sender: str, body: str) -> Called:
        called = await self.provider.text(sender, ALICE, body)
        if called.status != 200:
            self.given_up.append(number)
        return called

    def _call(self, task: asyncio.Task[Called]) -> None:
        self.calls.add(task)

    def look(self) -> None:
        """Take in what came to the phones, and report it."""
        bodies = [body for number in self.people for body in self.provider.phones.get(number, [])]
        self.arrived = Counter(int(said[1]) for body in bodies if (said := _OUT.match(body)))
        sids = list(self.provider.callbacks)
        for sid in sids[self._reported :]:
            self._call(asyncio.create_task(self.provider.tell(sid, "delivered")))
        self._reported = len(sids)


@contextlib.asynccontextmanager
async def flood(town: ProviderTown) -> AsyncIterator[ProviderFlood]:
    """Alice, with a flood that has not begun."""
    reader = Reader(town.xmpp, "alice", GATEWAY, TEXTS)
    await reader.come()
    place = ProviderFlood(town, reader, COUNT, SEED)
    try:
        yield place
    finally:
        for call in place.calls:
            call.cancel()
        await asyncio.gather(*place.calls, return_exceptions=True)
        await reader.go()


async def test_the_bridge_is_killed() -> None:
    plan = Plan(numbers={ALICE: ("alice", ROUTE)}, options=OPTIONS, limits=LIMITS)
    async with running_provider_town(plan) as town, flood(town) as place:
        town.provider.pause = 0.15

        async def strike() -> None:
            place.may_write.clear()
            await asyncio.to_thread(town.bridge.kill)
            place.note_unstored()
            await asyncio.to_thread(town.bridge.start)
            place.may_write.set()

        await place.run(strike, 6)
        await place.all_in()
        await place.all_out()
        place.check(f"HTTP, bridge killed 6 times, seed {SEED}; {len(place.given_up)} texts were fetched")
