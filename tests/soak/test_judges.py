"""The soak's own judges bite: seeded leaks, losses, doubles and disorder are found, and nothing else is."""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.irc.casemap import fold_strict_rfc1459
from bench import soak_bridge
from bench.soak import above
from bench.soak_ledger import Ledger, Stay, number_of, text_of
from bench.soak_memory import Sample, growth, line, picture
from bench.soak_plan import Town, plan
from bridge.xmpp.addresses import _checked_resource

MEGABYTE = 1_000_000


def day(leak: int, seconds: int, seed: int) -> Iterator[Sample]:
    """Samples of a process that settles, is noisy by some hundred KiB, and loses `leak` bytes a message. In a
    minute as many messages are sent as in the soak of the suite, in ten minutes as in one on a busy
    machine."""
    chance, per_second = random.Random(seed), 62 if seconds == 60 else 25
    for at in range(seconds):
        messages = at * per_second
        held = 84 * MEGABYTE - 5 * MEGABYTE * 0.5 ** (at / 12) + leak * messages
        yield Sample(at, int(held + chance.uniform(-3e5, 3e5)), messages, 18 * messages, 200)


@given(seed=st.integers(0, 1000), seconds=st.sampled_from([60, 600]))
def test_a_process_that_settles_does_not_grow(seed: int, seconds: int) -> None:
    assert not growth(list(day(0, seconds, seed)), seconds * 0.3).too_much


@given(seed=st.integers(0, 1000), seconds=st.sampled_from([60, 600]))
def test_a_leak_of_a_kibibyte_a_message_is_found(seed: int, seconds: int) -> None:
    assert growth(list(day(1024, seconds, seed)), seconds * 0.3).too_much


def test_a_line_through_points() -> None:
    assert line([(0, 1), (1, 3), (2, 5)]) == (2, 1)
    with pytest.raises(ValueError, match="two places"):
        line([(1, 1), (1, 2)])


def test_the_picture_is_svg() -> None:
    samples = list(day(0, 60, 1))
    found = growth(samples, 18)
    assert picture(samples, 18, found, "200 users").startswith("<svg xmlns=")


@given(number=st.integers(0, 10**9))
def test_a_message_knows_its_number(number: int) -> None:
    assert number_of(text_of(number)) == number
    with pytest.raises(ValueError, match="changed"):
        number_of(text_of(number) + "&")


@given(seed=st.integers())
def test_the_same_seed_is_the_same_day(seed: int) -> None:
    town = Town()
    day_one, day_two = (list(plan(town, 4, 25, seed)) for _ in range(2))
    assert day_one == day_two
    assert len(day_one) == 100
    assert all(step.room in town.rooms_of(step.who) for step in day_one)


def test_what_is_left_over_is_told() -> None:
    rest = {"files": 8, "sessions": 0, "threads": 4}
    assert above({"files": 8, "sessions": 0, "threads": 9}, rest) == []
    assert above({"files": 9, "sessions": 1, "threads": 4}, rest) == [
        "files: 8 before, 9 after everybody has left",
        "sessions: 0 before, 1 after everybody has left",
    ]


# ---- the ledger


def talk(count: int = 40) -> tuple[Ledger, Stay, list[int]]:
    """`u1` was in the room all the time that `p1` and `p2` talked, and was shown nothing yet."""
    ledger = Ledger(1)
    log = ledger.rooms[0]
    log.came("u1")
    numbers = [ledger.new(f"p{1 + each % 2}", 0) for each in range(count)]
    for number in numbers:
        log.said(number)
    stay = Stay("u1", 0, asked=20, must_to=count)
    ledger.stays.append(stay)
    return ledger, stay, numbers


def shown(stay: Stay, numbers: list[int]) -> None:
    for number in numbers:
        stay.take(number, late=False)


def test_a_good_day() -> None:
    ledger, stay, numbers = talk()
    shown(stay, numbers)
    assert ledger.judge() == []


@given(at=st.integers(0, 39))
def test_a_lost_message_is_found(at: int) -> None:
    ledger, stay, numbers = talk()
    shown(stay, numbers[:at] + numbers[at + 1 :])
    assert ledger.judge() == [f"u1 in room 0 (there): 1 lost: [{at}]"]


@given(at=st.integers(0, 39))
def test_a_double_is_found(at: int) -> None:
    ledger, stay, numbers = talk()
    shown(stay, numbers[: at + 1] + numbers[at:])
    assert ledger.judge() == [f"u1 in room 0 (there): doubled: {at}"]


@given(at=st.integers(0, 38))
def test_disorder_is_found(at: int) -> None:
    ledger, stay, numbers = talk()
    shown(stay, [*numbers[:at], numbers[at + 1], numbers[at], *numbers[at + 2 :]])
    assert ledger.judge() == ["u1 in room 0 (there): out of order"]


def test_history_and_what_is_live_are_one() -> None:
    ledger, stay, numbers = talk()
    for number in numbers[20:40]:
        stay.take(number, late=True)
    assert ledger.judge() == []  # no more than 20 were asked for
    stay.history.pop(0)
    assert ledger.judge() != []


def test_a_client_that_was_cut_off_has_no_gap() -> None:
    ledger, stay, numbers = talk()
    stay.must_to, stay.how = None, "lost"
    shown(stay, numbers[:17])
    assert ledger.judge() == []
    shown(stay, numbers[18:19])
    assert ledger.judge() == ["u1 in room 0 (lost): 1 lost: [17]"]


def test_who_was_out_missed_nothing_meant_for_them() -> None:
    ledger, stay, numbers = talk(10)
    log = ledger.rooms[0]
    shown(stay, numbers)
    stay.how = "left"
    log.went("u1", "PART")
    log.said(ledger.new("p1", 0))
    log.came("u1")
    later = ledger.new("p1", 0)
    log.said(later)
    back = Stay("u1", 0, asked=20, must_to=12)
    ledger.stays.append(back)
    for number in numbers:
        back.take(number, late=True)
    assert ledger.judge_stay(back) == [f"u1 in room 0 (there): 1 lost: [{later}]"]
    back.take(later, late=False)
    assert ledger.judge() == []


def test_what_never_reached_irc_is_lost_unless_it_was_refused() -> None:
    ledger, stay, numbers = talk()
    shown(stay, numbers)
    said = ledger.new("u1", 0)
    ledger.refused[said] = "not connected"
    assert ledger.judge() == []
    ledger.refused.clear()
    assert ledger.judge() == [f"room 0: {said} of u1 is lost: not on IRC, not refused"]


def test_private_messages_come_once_or_are_refused() -> None:
    ledger = Ledger(0)
    good, lost, twice, refused = (ledger.new("u1", to="p1") for _ in range(4))
    ledger.received.update({good: 1, twice: 2})
    ledger.refused[refused] = "No such nick"
    assert ledger.judge() == [
        f"private message {lost} of u1 is lost: not come, not refused",
        f"private message {twice} came 2 times, refused: False",
    ]


def test_an_archive_without_gaps() -> None:
    ledger, stay, numbers = talk()
    shown(stay, numbers)
    assert ledger.judge_archive("u1", 0, numbers) == []
    assert ledger.judge_archive("u1", 0, [*numbers, numbers[0]]) == ["archive of u1, room 0: doubled: 0"]
    assert ledger.judge_archive("u1", 0, numbers[1:]) == [
        "archive of u1, room 0: lacks what was shown: [0]",
        "archive of u1, room 0: 1 lost: [0]",
    ]


# ---- the bridge of a soak


def test_no_cache_is_forgotten() -> None:
    """All that a name or an address goes through is filled before the soak; else it would fill during it."""
    filled = {cache for cache, _ in soak_bridge.CACHES}
    for_odd_names = {_checked_resource, fold_strict_rfc1459}
    found = {
        known
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "bridge" or name.startswith("backends.irc")
        for known in vars(module).values()
        if isinstance(known, functools._lru_cache_wrapper)
        and known.__module__.split(".")[0] in ("bridge", "backends")
        and (known.cache_info().maxsize or 0) > 100
    }
    assert found == filled | for_odd_names


def test_a_cache_is_filled_to_the_brim() -> None:
    @functools.lru_cache(50)
    def cache(name: str) -> str:
        return name

    soak_bridge.fill([(cache, lambda number: (f"f{number}",))])
    assert cache.cache_info().currsize == 50
