"""Something is killed in the middle of many texts, again and again: each text is in the chat once, by id, and
each message on its phone once, or its sender is told that it may or may not have arrived."""

from __future__ import annotations

import asyncio

import pytest

from tests.mail.reader import until
from tests.peers.daemon import Daemon
from tests.sms.flood import flood
from tests.sms.town import running_town

pytestmark = pytest.mark.heavy

COUNT, FEWER = 500, 200
"""Of texts, and of messages: while the bridge is killed, and while another is."""
SEED = 21
OPTIONS = {"texts_per_day": 100_000}
LIMITS = "messages_per_second = 1000.0\nmessage_burst = 10000"


async def test_the_bridge_is_killed() -> None:
    with running_town(options=OPTIONS, limits=LIMITS) as town:
        async with flood(town, count=COUNT, seed=SEED) as place:

            async def strike() -> None:
                place.may_write.clear()
                await asyncio.to_thread(town.bridge.kill)
                place.note_unstored()
                await asyncio.to_thread(town.bridge.start)
                place.may_write.set()

            await place.run(strike, 8)
            await place.all_in()
            await place.all_out()
            place.check(f"bridge killed 8 times, seed {SEED}")


async def test_the_carriers_link_breaks() -> None:
    with running_town(options=OPTIONS, limits=LIMITS) as town:
        async with flood(town, count=FEWER, seed=SEED) as place:

            async def strike() -> None:
                await place.phones.do("drop")

            await place.run(strike, 4)
            await place.all_in()
            await place.all_out()
            place.check(f"link broken 4 times, seed {SEED}")


async def test_the_xmpp_server_is_killed() -> None:
    with running_town(options=OPTIONS, limits=LIMITS) as town:
        async with flood(town, count=FEWER, seed=SEED) as place:
            server = town.xmpp
            assert isinstance(server, Daemon)

            async def strike() -> None:
                place.may_write.clear()
                await place.reader.online.sync()  # what she said is with the server
                await asyncio.to_thread(server.kill)
                links = town.bridge.link_count()
                await place.reader.go()
                await asyncio.to_thread(server.start)
                await place.reader.come()
                await until(lambda: town.bridge.link_count() > links, 30, town.bridge.log_tail)
                place.note_unstored()  # it may have died with some that the bridge never got
                await place.reader.read_archive()
                place.may_write.set()

            await place.run(strike, 4)
            await place.all_in(90)
            await place.all_out()
            await place.reader.read_archive()
            place.check(f"XMPP server killed 4 times, seed {SEED}")
