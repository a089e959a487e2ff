"""The server is killed in mid-batch, again and again: what it had not surely taken comes again under the same
ids, and nobody misses anything."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

import pytest

from tests.fence.town import Town, town
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody

pytestmark = pytest.mark.heavy

log = logging.getLogger(__name__)

ROUNDS = 20
ONLINE = ("alice", "bob")


class Size:
    """How much is said in a round: the kill comes after at most so many messages or fences, with at most
    `ahead` messages on their way to the bridge or in it."""

    def __init__(self, messages: int, fences: int, ahead: int) -> None:
        self.messages, self.fences, self.ahead = messages, fences, ahead


SIZES = {Prosody: Size(250, 8, 250), Ejabberd: Size(80, 6, 60)}
"""ejabberd takes some milliseconds to store one message in SQLite."""


def moment(place: Town, size: Size, chance: random.Random) -> Callable[[], bool]:
    """When to kill: after so many messages or fences from now on."""
    stream = place.tap.streams[-1]
    if chance.random() < 0.5:
        messages = len(stream.sent) + chance.randint(1, size.messages)
        return lambda: len(stream.sent) >= messages
    fences = stream.fences + chance.randint(1, size.fences)
    return lambda: stream.fences >= fences


async def test_killed_in_mid_batch(server: Prosody | Ejabberd, inspircd: Inspircd) -> None:
    chance, size = random.Random(20), SIZES[type(server)]
    async with town(server, inspircd) as place:
        await place.move_in()
        place.online(*ONLINE)
        again = 0
        for _ in range(ROUNDS):
            again += await one_round(place, size, chance)
        for person in place.people:
            await person.go()
            person.check()
        twice = sum(count > 1 for person in place.people for count in person.shown.values())
        text = "%s: %d rounds, %d sent, %d fenced, %d sent again, %d seen twice"
        log.info(text, server.name, ROUNDS, place.said, len(place.tap.fenced), again, twice)


async def one_round(place: Town, size: Size, chance: random.Random) -> int:
    """Talk, a kill, a restart; everybody reads. How many messages came again."""
    tap = place.tap
    present = [person for person in place.people if person.name in ONLINE]
    absent = [person for person in place.people if person.name not in ONLINE]
    await asyncio.gather(*(person.go() for person in absent))
    tap.hold()
    killed = tap.when(moment(place, size, chance), place.kill)
    while not killed.is_set():
        await place.say(1)
        await tap.until(lambda: killed.is_set() or place.said - len(tap.bodies) < size.ahead, "the bridge")
    await asyncio.to_thread(place.server.kill)
    await place.say(1)
    await asyncio.to_thread(place.server.start)
    for person in present:
        await person.go()
    await asyncio.gather(*(person.come() for person in present))
    before = len(tap.streams)
    tap.let_through()
    await place.all_fenced()
    await asyncio.gather(*(person.come() for person in absent))
    await asyncio.gather(*(person.read_archive() for person in place.people))
    return check_streams(place, before)


def check_streams(place: Town, before: int) -> int:
    """What was not fenced is sent again under its id, what was is not, and the first message goes alone."""
    tap = place.tap
    old, (new,) = tap.streams[before - 1], tap.streams[before:]
    resent = set(old.sent) & set(new.sent)
    unfenced = set(old.sent) - old.fenced
    assert unfenced <= resent
    for id_ in resent - unfenced:
        # On ejabberd a fence is one user's: what it proved for others the bridge does not know. And where a
        # client was there a moment ago, it waits a while.
        assert tap.online
        assert tap.bodies[id_][0] not in tap.online
    assert all(len(ids) == 1 for ids in tap.ids.values())
    assert new.before_first_fence == 1 + len(new.bounced_first)
    return len(resent)
