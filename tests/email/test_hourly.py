"""How many mails an account may send in an hour."""

from __future__ import annotations

from backends.email.hourly import HOUR, Hourly
from bridge.api import AccountId

ALICE, BOB = AccountId("alice"), AccountId("bob")


def test_so_many_in_an_hour() -> None:
    now = 1000.0
    hourly = Hourly(2, lambda: now)
    for _ in range(2):
        assert not hourly.full(ALICE)
        hourly.count(ALICE)
        now += 10
    assert hourly.full(ALICE)
    assert not hourly.full(BOB)
    now += HOUR - 15
    assert not hourly.full(ALICE)
    hourly.count(ALICE)
    assert hourly.full(ALICE)
    now += 2 * HOUR
    assert not hourly.full(ALICE)
    assert not hourly._sent


def test_any_number() -> None:
    hourly = Hourly(0)
    for _ in range(100):
        hourly.count(ALICE)
    assert not hourly.full(ALICE)
    assert not hourly._sent
