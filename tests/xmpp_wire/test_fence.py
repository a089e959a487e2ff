"""Fences over a link that we answer ourselves; the real servers' part is in tests/fence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bridge.xmpp import fence_lanes
from bridge.xmpp.clients import Clients
from bridge.xmpp.fence import FENCED, LOST, WEAK, Fence
from bridge.xmpp.iqs import IqFailed, IqLost, IqTimeout, RequestType
from bridge.xmpp.received import InError

US, SERVER = "irc.example.test", "example.test"
ALICE, BOB = "alice@example.test", "bob@example.test"
PHONE, LAPTOP, DESK = f"{ALICE}/phone", f"{ALICE}/laptop", f"{BOB}/desk"
UNKNOWN = InError("cancel", "service-unavailable")
STARTING = InError("cancel", "internal-server-error", "Database failure")


class Link:
    """Notes writes and pings in order; the test answers the pings."""

    def __init__(self) -> None:
        self.up = True
        self.wire: list[str] = []
        self.pings: list[asyncio.Future[object]] = []
        self.given_up: list[str] = []

    @property
    def iqs(self) -> Link:
        return self

    def submit(
        self, to: str, from_: str, kind: RequestType, payload_xml: str, timeout: float | None = 30
    ) -> object:
        self.wire.append(f"ping {to}")
        self.pings.append(asyncio.get_running_loop().create_future())
        return self.pings[-1]

    def write(self, text: str) -> bool:
        self.wire.append(text)
        return self.up

    def give_up(self, reason: str) -> None:
        self.given_up.append(reason)

    async def answer(self, number: int = -1, error: Exception | None = None) -> None:
        """Answer a ping (the newest)."""
        if error is None:
            self.pings[number].set_result(None)
        else:
            self.pings[number].set_exception(error)
        await ticks()


async def ticks() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not fact():
            await asyncio.sleep(0.002)


async def make(clients: Clients | None = None, **settings: float) -> tuple[Link, Fence]:
    """A fence whose server has shown already that it works."""
    link = Link()
    fence = Fence(link, US, SERVER, **settings)  # type: ignore[arg-type]
    fence.ping_clients(clients)
    first = fence.send("first", "m", "x@example.test")
    await ticks()
    await link.answer()
    assert first.result() == FENCED
    link.wire.clear()
    link.pings.clear()
    return link, fence


def online(*clients: str) -> Clients:
    known = Clients()
    for client in clients:
        known._seen(client)
    return known


# -- the server's own fence


async def test_one_ping_for_all_of_a_tick() -> None:
    link, fence = await make()
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(3)]
    await ticks()
    assert link.wire == ["m0", "m1", "m2", "ping example.test"]
    assert not any(outcome.done() for outcome in outcomes)
    await link.answer()
    assert [outcome.result() for outcome in outcomes] == [FENCED] * 3
    assert fence.unsettled == 0


async def test_at_most_two_fences_and_room_for_their_messages() -> None:
    link, fence = await make(batch_size=2)
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(7)]
    await ticks()
    assert link.wire == ["m0", "m1", "ping example.test", "m2", "m3", "ping example.test"]
    await link.answer(0)
    assert link.wire[6:] == ["m4", "m5", "ping example.test"]
    await link.answer(2)
    assert [one.done() for one in outcomes] == [True, True, *[False] * 5], "order is kept"
    await link.answer(1)
    assert [one.done() for one in outcomes] == [*[True] * 6, False]
    assert link.wire[9:] == ["m6", "ping example.test"]


async def test_a_bounce_comes_first() -> None:
    link, fence = await make()
    good, bad = fence.send("1", "m1", ALICE), fence.send("2", "m2", BOB)
    await ticks()
    assert not fence.bounced(PHONE, "2", UNKNOWN), "it went to somebody else"
    assert fence.bounced(BOB, "2", UNKNOWN)
    assert not fence.bounced(BOB, "2", UNKNOWN)
    assert not fence.bounced(BOB, "unknown", UNKNOWN)
    await link.answer()
    assert good.result() == FENCED
    assert bad.result() == "bounced: service-unavailable"


async def test_what_waits_and_what_is_under_way_is_lost_with_the_stream() -> None:
    link, fence = await make(batch_size=1)
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(5)]
    await ticks()
    link.up = False
    fence.lost()
    assert [outcome.result() for outcome in outcomes] == [LOST] * 5
    assert fence.send("5", "m", ALICE).result() == LOST
    link.up = True
    again = fence.send("0", "m0", ALICE)
    for ping in link.pings[:2]:
        ping.set_exception(IqLost())
    await ticks()
    assert not again.done(), "the old stream's pings say nothing about the new one"
    await link.answer()
    assert again.result() == FENCED


async def test_a_lost_ping_tells_the_same() -> None:
    link, fence = await make()
    outcome = fence.send("1", "m", ALICE)
    await ticks()
    await link.answer(error=IqLost())
    assert outcome.result() == LOST


async def test_an_unanswered_fence_gives_the_stream_up_and_loses_nothing_itself() -> None:
    link, fence = await make()
    outcome = fence.send("1", "m", ALICE)
    await ticks()
    await link.answer(error=IqTimeout(120))
    assert link.given_up == ["example.test has not answered a ping in 120 s"]
    assert not outcome.done()


async def test_a_server_without_pings_makes_weak_fences(caplog: pytest.LogCaptureFixture) -> None:
    link, fence = await make(weak_seconds=0.01)
    outcome = fence.send("1", "m", ALICE)
    await ticks()
    await link.answer(error=IqFailed("feature-not-implemented"))
    assert not outcome.done()
    assert await outcome == WEAK
    assert "XEP-0199" in caplog.text


async def test_an_id_cannot_be_under_way_twice() -> None:
    _, fence = await make(batch_size=2)
    fence.send("1", "m", ALICE)
    for _ in range(5):
        with pytest.raises(ValueError, match="under way already"):
            fence.send("1", "m", ALICE)
    assert fence.unsettled == 1


# -- the first message on a new stream


async def test_the_first_goes_alone() -> None:
    link = Link()
    fence = Fence(link, US, SERVER)
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(4)]
    await ticks()
    assert link.wire == ["m0", "ping example.test"]
    await link.answer()
    assert link.wire[2:] == ["m1", "m2", "m3", "ping example.test"]
    await link.answer()
    assert [one.result() for one in outcomes] == [FENCED] * 4


async def test_the_first_is_tried_until_the_server_takes_it_and_stays_the_first() -> None:
    link = Link()
    fence = Fence(link, US, SERVER, retry_seconds=0.01)
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(3)]
    await ticks()
    for tries in (1, 2):
        assert fence.bounced(ALICE, "0", STARTING)
        await link.answer()
        assert link.wire == ["m0", "ping example.test"] * tries, "nothing overtakes it"
        await until(lambda tries=tries: len(link.pings) == tries + 1)
    await link.answer()
    assert link.wire[6:] == ["m1", "m2", "ping example.test"]
    await link.answer()
    assert [one.result() for one in outcomes] == [FENCED] * 3


async def test_patience_with_the_first_has_an_end() -> None:
    link = Link()
    fence = Fence(link, US, SERVER, patience=0)
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(3)]
    await ticks()
    assert fence.bounced(ALICE, "0", STARTING)
    assert outcomes[0].result() == "bounced: internal-server-error Database failure"
    await ticks()
    assert link.wire[2:] == ["m1", "m2", "ping example.test"]


async def test_a_first_one_for_nobody_is_refused_at_once_and_the_next_goes_alone() -> None:
    link = Link()
    fence = Fence(link, US, SERVER)
    outcomes = [fence.send(str(number), f"m{number}", ALICE) for number in range(3)]
    await ticks()
    assert fence.bounced(ALICE, "0", UNKNOWN)
    assert outcomes[0].result() == "bounced: service-unavailable"
    await ticks()
    assert link.wire == ["m0", "ping example.test", "m1", "ping example.test"]
    await link.answer(0)
    assert len(link.wire) == 4, "the fence of a refused message says nothing about storage"
    await link.answer(1)
    assert link.wire[4:] == ["m2", "ping example.test"]


async def test_a_new_stream_begins_anew() -> None:
    link, fence = await make()
    fence.lost()
    fence.send("1", "m1", ALICE)
    fence.send("2", "m2", ALICE)
    await ticks()
    assert link.wire == ["m1", "ping example.test"]


# -- fences by clients


async def test_each_users_clients_are_the_fence_and_each_user_has_a_lane() -> None:
    link, fence = await make(online(PHONE, LAPTOP, DESK), batch_size=1, open_fences=1)
    alice = [fence.send(f"a{number}", f"a{number}", ALICE) for number in range(2)]
    bob = fence.send("b", "b", BOB)
    carol = fence.send("c", "c", "carol@example.test")
    await ticks()
    pings = [f"ping {PHONE}", f"ping {LAPTOP}"]
    assert link.wire == ["a0", *pings, "b", f"ping {DESK}", "c", "ping example.test"]
    await link.answer(2)
    await link.answer(3)
    assert (bob.result(), carol.result()) == (FENCED, FENCED), "alice's silent client holds up nobody else"
    await link.answer(0)
    assert not alice[0].done(), "a message goes to all her clients"
    await link.answer(1)
    assert alice[0].result() == FENCED
    assert link.wire[7:] == ["a1", *pings]


@pytest.mark.parametrize("error", [IqFailed("service-unavailable"), IqTimeout(10)], ids=["refuses", "silent"])
async def test_without_a_clients_answer_the_servers_must_do(error: IqFailed) -> None:
    clients = online(PHONE)
    link, fence = await make(clients, weak_seconds=0.01)
    outcome = fence.send("1", "m1", ALICE)
    await ticks()
    await link.answer(error=error)
    assert link.wire == ["m1", f"ping {PHONE}", "ping example.test"]
    assert clients.of(ALICE) == ((PHONE,) if isinstance(error, IqTimeout) else ()), "a sleeping one is there"
    await link.answer()
    assert not outcome.done(), "the server's word is not enough at once"
    assert await outcome == WEAK


async def test_a_weak_one_is_lost_if_the_stream_breaks_soon_and_may_be_sent_again() -> None:
    link, fence = await make(online(PHONE), weak_seconds=0.03)
    outcome = fence.send("1", "m1", ALICE)
    await ticks()
    await link.answer(error=IqFailed("service-unavailable"))
    await link.answer()
    fence.lost()
    assert outcome.result() == LOST
    again = fence.send("1", "m1", ALICE)
    await ticks()
    await asyncio.sleep(0.05)  # the old grace would be over
    assert not again.done()
    await link.answer()
    assert again.result() == FENCED


async def test_a_weak_one_may_still_bounce() -> None:
    link, fence = await make(online(PHONE))
    outcome = fence.send("1", "m1", ALICE)
    await ticks()
    await link.answer(error=IqFailed("service-unavailable"))
    await link.answer()
    assert fence.bounced(PHONE, "1", UNKNOWN)
    assert outcome.result() == "bounced: service-unavailable"


async def test_on_a_new_stream_the_server_is_asked_before_the_clients() -> None:
    link = Link()
    fence = Fence(link, US, SERVER)
    fence.ping_clients(online(PHONE))
    first, second = fence.send("1", "m1", ALICE), fence.send("2", "m2", BOB)
    await ticks()
    assert link.wire == ["m1", "ping example.test"]
    await link.answer()
    assert link.wire[2:] == [f"ping {PHONE}", "m2", "ping example.test"]
    assert not first.done()
    await link.answer(1)
    await link.answer(2)
    assert (first.result(), second.result()) == (FENCED, FENCED)


async def test_what_waits_keeps_its_order_when_the_lanes_change() -> None:
    link, fence = await make(batch_size=1, open_fences=1)
    for number in range(4):
        fence.send(f"a{number}", f"a{number}", ALICE)
        fence.send(f"b{number}", f"b{number}", BOB)
    fence.ping_clients(online(PHONE, DESK))
    fence.send("a4", "a4", ALICE)
    for _ in range(12):
        for ping in link.pings:
            if not ping.done():
                ping.set_result(None)
        await ticks()
    for name in "ab":
        sent = [text for text in link.wire if text[0] == name]
        assert sent == sorted(sent)
    assert fence.unsettled == 0
    assert fence._lanes.all() == []


async def test_lanes_are_counted_to_the_last_message() -> None:
    link, fence = await make(batch_size=3)
    for number in range(10):
        fence.send(str(number), f"m{number}", ALICE)
    await ticks()
    for number in (1, 4, 5):
        assert fence.bounced(ALICE, str(number), UNKNOWN)
    while any(not ping.done() for ping in link.pings):
        await link.answer([ping.done() for ping in link.pings].index(False))
    lanes = fence._lanes
    assert isinstance(lanes, fence_lanes.Lanes)
    assert (fence.unsettled, lanes.under_way, lanes.all()) == (0, 0, [])


@pytest.mark.parametrize("error", [None, IqLost(), IqTimeout(120), IqFailed("service-unavailable")])
async def test_whether_the_server_has_come_so_far(error: Exception | None) -> None:
    link, fence = await make()
    link.write("said before")
    asking = asyncio.create_task(fence.caught_up())
    await ticks()
    assert link.wire == ["said before", f"ping {SERVER}"]
    assert not asking.done()
    await link.answer(error=error)
    await asking
