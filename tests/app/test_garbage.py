"""When the bridge looks for what nothing uses any more."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from bridge.app import garbage
from bridge.app.garbage import SWEEP_AT, Sweeper


def test_a_sweep_is_due_when_there_is_much_more_than_after_the_last() -> None:
    sweeper = Sweeper(400_000)
    assert not sweeper.due(400_000 + SWEEP_AT + 100_000)
    assert sweeper.due(400_000 + SWEEP_AT + 100_001)
    sweeper.swept(500_000)
    assert not sweeper.due(500_000 + SWEEP_AT + 125_000)
    assert sweeper.due(500_000 + SWEEP_AT + 125_001)


def test_the_least_there_was_counts() -> None:
    sweeper = Sweeper(800_000)
    assert not sweeper.due(400_000)
    assert sweeper.due(400_000 + SWEEP_AT + 100_001)


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


async def test_what_has_lived_for_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(Sweeper, "due", lambda _sweeper, _blocks: True)
    ring = Ring()
    gone = weakref.ref(ring)
    gc.collect()  # from now on it is old
    gc.disable()
    sweeping = asyncio.create_task(garbage.keep_swept())
    try:
        del ring
        async with asyncio.timeout(10):
            while gone() is not None:
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
        sweeping.cancel()
