"""Something is killed in the middle of many mails, again and again: each mail is in the chat once, by id, and
each message in its mailbox once, or its sender is told that it may or may not have arrived."""

from __future__ import annotations

import asyncio

import pytest

from tests.mail.flood import Flood, flood
from tests.mail.reader import until
from tests.mail.town import running_town
from tests.peers.daemon import Daemon

pytestmark = pytest.mark.heavy

COUNT, FEWER = 200, 100
"""Of mails, and of messages: while the bridge is killed, and while another is."""
SEED = 20


@pytest.mark.parametrize("way", ["lmtp", "smtp", "mailbox"])
async def test_the_bridge_is_killed(way: str) -> None:
    with running_town(way_in="smtp" if way == "smtp" else "lmtp") as town:
        async with flood(town, mailbox=way == "mailbox", count=COUNT, seed=SEED) as place:

            async def strike() -> None:
                place.may_write.clear()
                await asyncio.to_thread(town.bridge.kill)
                place.note_unstored()
                await asyncio.to_thread(town.bridge.start)
                place.may_write.set()

            await place.run(strike, 6)
            await place.all_in()
            await place.all_out()
            await place.check(f"{way}, bridge killed 6 times, seed {SEED}")


async def struck(place: Flood, victim: Daemon, times: int, words: str) -> None:
    """The floods while another server than the bridge is killed."""

    async def strike() -> None:
        await victim.restart(crash=True)

    await place.run(strike, times)
    await place.all_in(90)
    await place.all_out()
    await place.check(f"{words} killed {times} times, seed {SEED}")


async def test_dovecot_is_killed() -> None:
    with running_town() as town:
        async with flood(town, mailbox=True, count=FEWER, seed=SEED) as place:
            await struck(place, town.dovecot, 4, "Dovecot")


@pytest.mark.parametrize("mailbox", [False, True], ids=["domain", "mailbox"])
async def test_postfix_is_killed(mailbox: bool) -> None:
    with running_town() as town:
        async with flood(town, mailbox=mailbox, count=FEWER, seed=SEED) as place:
            await struck(place, town.postfix, 4, "Postfix")


@pytest.mark.parametrize("mailbox", [False, True], ids=["domain", "mailbox"])
async def test_the_xmpp_server_is_killed(mailbox: bool) -> None:
    with running_town() as town:
        async with flood(town, mailbox=mailbox, count=FEWER, seed=SEED) as place:
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
            await place.check(f"XMPP server killed 4 times, seed {SEED}")
