"""How fast texts go out; the clock is the test's."""

from __future__ import annotations

from backends.sms.smpp.pace import FIRST_INTERVAL, Pace


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace()
    for _ in range(10):
        assert pace.wait(5.0) <= 0
        pace.sent(5.0)


def test_a_rate_is_held_without_bursts() -> None:
    pace = Pace(10.0)
    now, sent = 100.0, 0
    while now < 110.0:
        if pace.wait(now) <= 0:
            pace.sent(now)
            sent += 1
        now += 0.013
    assert 98 <= sent <= 102
    pace = Pace(10.0)
    pace.sent(0.0)
    for _ in range(2):
        assert pace.wait(500.0) <= 0
        pace.sent(500.0)
    assert pace.wait(500.0) > 0  # what was not used for long is not saved


def test_it_is_slower_each_time_and_recovers() -> None:
    pace = Pace()
    pace.busy(10.0, 2.0)
    assert pace.interval == FIRST_INTERVAL
    pace.busy(10.01, 2.0)  # they were on their way together
    assert pace.interval == FIRST_INTERVAL
    now = 10.0
    for _ in range(12):
        now += 10.0
        pace.busy(now, 2.0)
    assert pace.interval == 2.0
    assert pace.wait(now) == 2.0
    pace.taken()
    assert pace.interval < 2.0
    for _ in range(600):
        pace.taken()
    assert pace.interval == 0.0


def test_a_full_queue_slows_only_a_little() -> None:
    pace = Pace(20.0)
    for now in range(10, 20):
        pace.busy(float(now), 0.1)
    assert pace.interval == 0.1
    pace.busy(30.0, 2.0)
    pace.busy(40.0, 2.0)
    slow = pace.interval
    pace.busy(50.0, 0.1)
    assert pace.interval == slow > 0.1
