"""The database is locked by somebody while mails go both ways: nothing is acknowledged that is not stored,
and afterwards everything arrives, once."""

from __future__ import annotations

import asyncio

import pytest

from tests.mail.flood import Flood, flood
from tests.mail.reader import until
from tests.mail.town import running_town
from tests.plug.outages import SqliteLocked

pytestmark = pytest.mark.heavy

COUNT = 100
SEED = 21
LOST = "the database takes no rows"
BACK = "the database takes rows again"


@pytest.mark.parametrize("killed", [False, True], ids=["waits", "killed meanwhile"])
@pytest.mark.parametrize("mailbox", [False, True], ids=["domain", "mailbox"])
async def test_the_database_is_locked(mailbox: bool, killed: bool) -> None:
    with running_town() as town:
        async with flood(town, mailbox=mailbox, count=COUNT, seed=SEED) as place:
            lock = SqliteLocked()

            async def strike() -> None:
                lock.begin(town.bridge)
                try:
                    await held_back(place, mailbox)
                    if killed:
                        place.may_write.clear()
                        await asyncio.to_thread(town.bridge.kill)
                        place.note_unstored()
                finally:
                    lock.end()
                if killed:
                    await asyncio.to_thread(town.bridge.start)
                    place.may_write.set()
                else:
                    await until(lambda: BACK in town.bridge.log_text(), 30, town.bridge.log_tail)

            await place.run(strike, 1)
            await place.all_in(90)
            await place.all_out()
            await place.check(f"database locked, seed {SEED}")


async def held_back(place: Flood, mailbox: bool) -> None:
    """Return when the bridge has noticed, and mails wait where they are."""
    town = place.town
    await place.one_more()
    await until(lambda: LOST in town.bridge.log_text(), 30, town.bridge.log_tail)
    if mailbox:
        return
    async with asyncio.timeout(60):
        while not any(_put_off(mail) for mail in await asyncio.to_thread(town.postfix.queue)):
            await asyncio.sleep(0.1)


def _put_off(mail: dict[str, object]) -> bool:
    return "451 4.3.0" in str(mail["recipients"])
