"""Fences over a link that we answer ourselves; the real server's part is in test_link_prosody."""

from __future__ import annotations

import asyncio

import pytest

from bridge.xmpp.fence import Fence, Settled
from bridge.xmpp.iqs import IqFailed, IqLost, IqTimeout, RequestType
from bridge.xmpp.received import InError

US, SERVER = "irc.example.test", "example.test"
REFUSED = InError("cancel", "service-unavailable")


class Link:
    """Notes writes and pings in order; the test answers the pings."""

    up = True

    def __init__(self) -> None:
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


def make(**settings: int) -> tuple[Link, Fence]:
    link = Link()
    return link, Fence(link, US, SERVER, **settings)  # type: ignore[arg-type]


async def ticks() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_one_ping_for_all_of_a_tick() -> None:
    link, fence = make()
    futures = [await fence.send(str(number), f"m{number}") for number in range(3)]
    await ticks()
    assert link.wire == ["m0", "m1", "m2", "ping example.test"]
    assert not any(future.done() for future in futures)
    link.pings[0].set_result(None)
    await ticks()
    assert [future.result() for future in futures] == [Settled("fenced")] * 3
    assert fence.unsettled == 0


async def test_at_most_two_fences_and_room_for_their_messages() -> None:
    link, fence = make(batch_size=2)
    sending = [asyncio.create_task(fence.send(str(number), f"m{number}")) for number in range(7)]
    await ticks()
    assert link.wire == ["m0", "m1", "ping example.test", "m2", "m3", "ping example.test"]
    link.pings[0].set_result(None)
    await ticks()
    assert link.wire[6:] == ["m4", "m5", "ping example.test"]
    link.pings[2].set_result(None)
    await ticks()
    outcomes = [await task for task in sending[:6]]
    assert [future.done() for future in outcomes] == [True, True, False, False, False, False], "order is kept"
    link.pings[1].set_result(None)
    await ticks()
    assert all(future.result() == Settled("fenced") for future in outcomes)
    assert link.wire[9:] == ["m6", "ping example.test"]


async def test_a_bounce_comes_first() -> None:
    link, fence = make()
    good, bad = await fence.send("1", "m1"), await fence.send("2", "m2")
    await ticks()
    assert fence.bounced("2", REFUSED)
    assert not fence.bounced("2", REFUSED)
    assert not fence.bounced("unknown", REFUSED)
    link.pings[0].set_result(None)
    await ticks()
    assert good.result() == Settled("fenced")
    assert bad.result() == Settled("bounced", error=REFUSED)


async def test_a_broken_stream_loses_all_that_has_no_fence() -> None:
    link, fence = make(batch_size=1)
    futures = [await fence.send(str(number), "m") for number in range(2)]
    waiting = asyncio.create_task(fence.send("2", "m"))
    await ticks()
    link.up = False
    for ping in link.pings:
        ping.set_exception(IqLost())
    await ticks()
    assert [future.result().outcome for future in [*futures, await waiting]] == ["lost"] * 3
    link.up = True
    again = await fence.send("0", "m")
    await ticks()
    link.pings[-1].set_result(None)
    assert (await again).outcome == "fenced"


async def test_an_unanswered_fence_gives_the_stream_up_and_loses_nothing_itself() -> None:
    link, fence = make()
    future = await fence.send("1", "m")
    await ticks()
    link.pings[0].set_exception(IqTimeout(120))
    await ticks()
    assert link.given_up == ["example.test has not answered a ping in 120 s"]
    assert not future.done()


async def test_a_target_that_does_not_answer_falls_back_to_the_server() -> None:
    link, fence = make()
    futures = [await fence.send("1", "m1", "a@b/c"), await fence.send("2", "m2")]
    await ticks()
    assert link.wire == ["m1", "m2", "ping a@b/c", "ping example.test"]
    link.pings[0].set_exception(IqFailed("service-unavailable"))
    await ticks()
    link.pings[1].set_result(None)
    await ticks()
    assert not futures[0].done()
    link.pings[2].set_result(None)
    await ticks()
    assert [future.result() for future in futures] == [Settled("fenced", weak=True), Settled("fenced")]


async def test_a_server_without_pings_makes_weak_fences(caplog: pytest.LogCaptureFixture) -> None:
    link, fence = make()
    future = await fence.send("1", "m")
    await ticks()
    link.pings[0].set_exception(IqFailed("feature-not-implemented"))
    await ticks()
    assert future.result() == Settled("fenced", weak=True)
    assert "XEP-0199" in caplog.text


async def test_an_id_cannot_be_under_way_twice() -> None:
    _, fence = make(batch_size=2)
    await fence.send("1", "m")
    for _ in range(5):
        with pytest.raises(ValueError, match="under way already"):
            await fence.send("1", "m")
    assert fence.unsettled == 1
