"""Lanes: order, bounds, and what becomes of jobs when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from bridge.api import ConnectionLost, Reason, Session
from bridge.core import lanes
from bridge.core.lanes import Lane
from tests.core.face import until

SESSION = cast(Session, object())


class Log:
    """What the jobs of a test say."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.online: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        self.online.set_result(SESSION)
        self.done = 0

    async def session(self) -> Session:
        return await asyncio.shield(self.online)

    def lane(self, limit: int = 100) -> Lane:
        def done(_lane: Lane) -> None:
            self.done += 1

        return Lane(lambda: None, self.session, limit, done)


class Work:
    """A job that does what a test says."""

    def __init__(self, log: Log, name: str, *ends: Callable[[], object]) -> None:
        self.log = log
        self.name = name
        self.ends = list(ends)
        self.again = False

    async def run(self, session: Session) -> float | None:
        self.log.said.append(self.name)
        found = self.ends.pop(0)() if self.ends else None
        if isinstance(found, asyncio.Event):
            await found.wait()
            return None
        return found if isinstance(found, float) else None

    def failed(self, reason: Reason, text: str) -> None:
        self.log.said.append(f"{self.name}: {reason.value}")
        if text == "explode":
            raise RuntimeError("cannot even fail")

    def interrupted(self, reason: Reason, text: str) -> bool:
        self.log.said.append(f"{self.name} cut: {text}")
        return self.again


def explode() -> None:
    raise RuntimeError("bug")


async def test_order_and_end() -> None:
    log = Log()
    lane = log.lane()
    for name in "abc":
        assert lane.push(Work(log, name))
    await until(lambda: log.done)
    assert log.said == ["a", "b", "c"]
    assert lane.push(Work(log, "d"))
    await until(lambda: log.done == 2)
    assert log.said[-1] == "d"


async def test_later_keeps_the_order() -> None:
    log = Log()
    lane = log.lane()
    lane.push(Work(log, "a", lambda: 0.0, lambda: -1.0))
    lane.push(Work(log, "b"))
    await until(lambda: log.done)
    assert log.said == ["a", "a", "a", "b"]


async def test_a_full_lane_takes_nothing() -> None:
    log, gate = Log(), asyncio.Event()
    lane = log.lane(limit=2)
    assert lane.push(Work(log, "a", lambda: gate))
    assert lane.push(Work(log, "b"))
    assert not lane.push(Work(log, "c"))
    gate.set()
    await until(lambda: log.done)
    assert log.said == ["a", "b"]


async def test_a_failing_job_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    lane = log.lane()
    lane.push(Work(log, "a", explode))
    lane.push(Work(log, "b"))
    await until(lambda: log.done)
    assert log.said == ["a", "a: internal", "b"]
    assert "for a reason of ours" in caplog.text


async def test_a_job_that_cannot_even_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "INTERNAL_TEXT", "explode")
    log = Log()
    lane = log.lane()
    lane.push(Work(log, "a", explode))
    lane.push(Work(log, "b"))
    await until(lambda: log.done)
    assert log.said == ["a", "a: internal", "b"]


async def test_no_session_fails_all() -> None:
    log = Log()
    log.online = asyncio.get_running_loop().create_future()
    lane = log.lane()
    lane.push(Work(log, "a"))
    lane.push(Work(log, "b"))
    log.online.set_exception(ConnectionLost("no", Reason.NO_SUCH_NETWORK))
    await until(lambda: log.done)
    assert log.said == ["a: no-such-network", "b: no-such-network"]
    log.online = asyncio.get_running_loop().create_future()
    log.online.set_result(SESSION)
    lane.push(Work(log, "c"))
    await until(lambda: log.done == 2)
    assert log.said[-1] == "c"


async def test_what_has_begun_may_end_by_itself() -> None:
    log, gate = Log(), asyncio.Event()
    lane = log.lane()
    lane.push(Work(log, "a", lambda: gate))
    lane.push(Work(log, "b"))
    await until(lambda: log.said)
    lane.abandon(Reason.NETWORK_DOWN, "gone")
    assert log.said == ["a", "b: network-down"]
    assert log.done == 0
    lane.push(Work(log, "c"))
    gate.set()
    await until(lambda: log.done)
    assert log.said == ["a", "b: network-down", "c"]


async def test_what_has_begun_is_not_tried_again_after_it_was_given_up() -> None:
    log, gate = Log(), asyncio.Event()

    class Slow(Work):
        async def run(self, session: Session) -> float | None:
            await super().run(session)
            return 0.0

    lane = log.lane()
    lane.push(Slow(log, "a", lambda: gate))
    await until(lambda: log.said)
    lane.abandon(Reason.NETWORK_DOWN, "gone")
    gate.set()
    await until(lambda: log.done)
    assert log.said == ["a", "a: network-down"]


@pytest.mark.parametrize("again", [False, True])
async def test_what_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    monkeypatch.setattr(lanes, "GRACE_SECONDS", 0.01)
    log = Log()
    lane = log.lane()
    stuck = Work(log, "a", asyncio.Event)
    stuck.again = again
    lane.push(stuck)
    lane.push(Work(log, "b"))
    await until(lambda: log.said)
    lane.link_broke(Reason.NETWORK_DOWN, "gone")
    await until(lambda: log.done)
    assert log.said == ["a", "a cut: gone", *(["a"] if again else []), "b"]


async def test_cancelled_it_tells_nobody() -> None:
    log = Log()
    lane = log.lane()
    lane.push(Work(log, "a", asyncio.Event))
    lane.push(Work(log, "b"))
    await until(lambda: log.said)
    lane.cancel()
    assert log.said == ["a"]
    assert log.done == 1
