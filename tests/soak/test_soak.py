"""A minute of a soak (docs/performance.md): 200 users, 20 rooms and mixed traffic between a real Prosody and
a real InspIRCd. Nothing is lost or doubled, memory settles, and nothing is left over when all have gone."""

from __future__ import annotations

import pytest

from bench.soak import RATE, report, soak
from bench.soak_plan import WEIGHTS, Town

pytestmark = pytest.mark.heavy


async def test_a_minute() -> None:
    outcome = await soak(Town(), 60, RATE, seed=1)
    print(report(outcome))  # noqa: T201 - shown where it fails
    assert not outcome.complaints, "\n".join(outcome.complaints[:50])
    assert set(outcome.steps) == set(WEIGHTS)
    assert outcome.messages > 3000
    assert outcome.deliveries > 15 * outcome.messages
