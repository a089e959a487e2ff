"""Parts put together again: in any order, from many, twice, too late, and over restarts."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.text import joining as joining_module
from backends.sms.text.coding import Alphabet
from backends.sms.text.joining import GROUPS, OCTETS, REMEMBERED, REMEMBERED_SECONDS, Joining
from backends.sms.text.parts import Part, Piece, Whole, joined

OURS, ALICE, BOB = "+15550000001", "+15551111111", "+15552222222"
NOW = 1_700_000_000.0
LIMIT = 600.0


def part(place: int, text: bytes, total: int = 3, **values: object) -> Part:
    made = Part(OURS, ALICE, 7, total, place, Alphabet.GSM, Piece(text))
    return msgspec.structs.replace(made, **values)


def texts(wholes: list[Whole]) -> list[str]:
    return [whole.text for whole in wholes]


def test_parts_in_any_order() -> None:
    joining = Joining(LIMIT)
    assert joining.add(part(3, b" me"), NOW) == []
    assert joining.add(part(1, b"it is", name="Alice"), NOW + 1) == []
    [whole] = joining.add(part(2, b" only"), NOW + 2)
    assert (whole.text, whole.missing, whole.since) == ("it is only me", (), NOW)
    assert (whole.number, whole.sender, whole.name) == (OURS, ALICE, "")
    assert joining.next_expiry is None


def test_senders_numbers_alphabets_and_totals_are_told_apart() -> None:
    joining = Joining(LIMIT)
    for first in (
        part(1, b"a", 2),
        part(1, b"b", 2, sender=BOB),
        part(1, b"c", 2, number=BOB),
        part(1, b"d", 2, reference=8),
        part(1, b"\0e", 2, alphabet=Alphabet.UCS2),
        part(1, b"f", 3),
    ):
        assert joining.add(first, NOW) == []
    assert texts(joining.add(part(2, b"!", 2, sender=BOB), NOW)) == ["b!"]
    assert texts(joining.add(part(2, b"!", 2), NOW)) == ["a!"]
    assert texts(joining.add(part(2, b"\0!", 2, alphabet=Alphabet.UCS2), NOW)) == ["e!"]


def test_the_same_part_again_is_nothing_new() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"a", 2), NOW)
    before = joining.encode()
    assert joining.add(part(1, b"a", 2), NOW + 5) == []
    assert joining.encode() == before
    assert texts(joining.add(part(2, b"b", 2), NOW + 6)) == ["ab"]


def test_parts_of_a_text_given_out_lately_are_nothing_new() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"a", 2), NOW)
    joining.add(part(2, b"b", 2), NOW)
    almost = NOW + REMEMBERED_SECONDS - 1
    assert joining.add(part(2, b"b", 2), almost) == []
    assert joining.expired(almost + LIMIT) == []
    assert joining.next_expiry is None
    assert joining.add(part(2, b"b", 2), almost) == []
    assert joining.add(part(1, b"a", 2), almost) == []
    later = NOW + REMEMBERED_SECONDS
    joining.add(part(1, b"a", 2), later)
    assert texts(joining.add(part(2, b"b", 2), later)) == ["ab"]


def test_a_text_that_begins_like_the_last_one_is_new() -> None:
    """Its second part is that of the text before, with the same reference."""
    joining = Joining(LIMIT)
    joining.add(part(1, b"good morning, ", 2), NOW)
    joining.add(part(2, b"yours, A.", 2), NOW)
    assert joining.add(part(2, b"yours, A.", 2), NOW + 1) == []
    assert texts(joining.add(part(1, b"good night, ", 2), NOW + 2)) == ["good night, yours, A."]


def test_a_reference_used_again_ends_the_text_before() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"old"), NOW)
    [old] = joining.add(part(1, b"new"), NOW + 1)
    assert (old.text, old.missing) == ("old [parts 2 to 3 of 3 are missing]", (2, 3))
    joining.add(part(2, b"er"), NOW + 2)
    assert texts(joining.add(part(3, b"!"), NOW + 3)) == ["newer!"]


def test_what_waited_long_enough_is_given_out_as_it_is() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"hello"), NOW)
    joining.add(part(3, b"bye", sender=BOB), NOW + 10)
    joining.add(part(3, b"end"), NOW + 20)
    assert joining.next_expiry == NOW + LIMIT
    assert joining.expired(NOW + LIMIT - 1) == []
    [whole] = joining.expired(NOW + LIMIT)
    assert (whole.text, whole.missing) == ("hello [part 2 of 3 is missing] end", (2,))
    assert joining.next_expiry == NOW + 10 + LIMIT
    [whole] = joining.expired(NOW + 10 + LIMIT)
    assert (whole.text, whole.missing) == ("[parts 1 to 2 of 3 are missing] bye", (1, 2))
    assert joining.next_expiry is None
    assert joining.expired(NOW + 10 * LIMIT) == []


def test_a_clock_set_back_keeps_nothing_for_long() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"from the future"), NOW + 365 * 86400)
    assert len(joining.expired(NOW)) == 1


def test_the_missing_part_may_still_come() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"a", 2), NOW)
    assert texts(joining.expired(NOW + LIMIT)) == ["a [part 2 of 2 is missing]"]
    joining.add(part(2, b"b", 2), NOW + LIMIT + 1)
    assert joining.add(part(1, b"a", 2), NOW + LIMIT + 2) != []


@pytest.mark.parametrize(("place", "total"), [(0, 3), (4, 3), (1, 0), (0, 0), (1, 256), (-1, 3), (1, 10**9)])
def test_nonsense_numbers_are_shown_alone(place: int, total: int) -> None:
    joining = Joining(LIMIT)
    for when in (NOW, NOW + 1):
        [whole] = joining.add(part(place, b"\x1be 5", total), when)
        assert (whole.text, whole.missing, whole.since) == ("€ 5", (), when)
    assert joining.encode() == Joining(LIMIT).encode()


def test_a_text_of_one_part_is_whole_at_once() -> None:
    """And a new one each time: such texts often have the same reference."""
    joining = Joining(LIMIT)
    for when in (NOW, NOW + 1):
        assert texts(joining.add(part(1, b"alone", 1), when)) == ["alone"]
    assert joining.encode() == Joining(LIMIT).encode()


def test_characters_cut_in_half_are_whole_again() -> None:
    joining = Joining(LIMIT)
    joining.add(part(1, b"\xd8\x3d", 2, alphabet=Alphabet.UCS2), NOW)
    assert texts(joining.add(part(2, b"\xde\x00", 2, alphabet=Alphabet.UCS2), NOW)) == ["😀"]
    joining.add(part(2, b"\x65!", 2), NOW)
    assert texts(joining.add(part(1, b"5 \x1b", 2), NOW)) == ["5 €!"]


def test_each_part_is_read_by_its_own_tables() -> None:
    pieces = {1: Piece(b"\x1bA"), 2: Piece(b"\x1bA", 0, 2), 3: Piece(b"\x1bA\x40", 1, 2)}
    assert joined(pieces, 3, Alphabet.GSM) == "AÁÁİ"
    assert joined({2: Piece(b"\1\2")}, 2, Alphabet.BINARY) == (
        "[part 1 of 2 is missing] [2 bytes that are not text]"
    )


def test_at_most_so_many_wait() -> None:
    joining = Joining(LIMIT)
    for reference in range(GROUPS):
        assert joining.add(part(1, b"x", 2, reference=reference), NOW + reference) == []
    [oldest] = joining.add(part(1, b"y", 2, reference=999), NOW + 999)
    assert (oldest.since, oldest.text) == (NOW, "x [part 2 of 2 is missing]")


def test_at_most_so_many_octets_wait() -> None:
    joining = Joining(LIMIT)
    half = b"x" * (OCTETS // 2)
    assert joining.add(part(1, half, 2, reference=1), NOW) == []
    assert joining.add(part(1, half, 2, reference=2), NOW) == []
    assert [whole.missing for whole in joining.add(part(1, b"x", 2, reference=3), NOW)] == [(2,)]
    assert [whole.missing for whole in joining.add(part(1, half + half + b"x", 3, reference=4), NOW)] == [
        (2,),
        (2,),
        (2, 3),
    ]
    assert joining.next_expiry is None
    assert joining.add(part(1, half + half, 2, reference=5), NOW) == []
    stored = Joining.decode(joining.encode(), LIMIT)
    assert [whole.missing for whole in stored.add(part(1, b"x", 2, reference=6), NOW)] == [(2,)]


def test_only_so_many_are_remembered() -> None:
    joining = Joining(LIMIT)
    for reference in range(REMEMBERED + 1):
        joining.add(part(1, b"x", 2, reference=reference), NOW)
        joining.add(part(2, b"y", 2, reference=reference), NOW)
    for reference in (0, 1):
        assert joining.add(part(1, b"x", 2, reference=reference), NOW) == []
    assert texts(joining.expired(NOW + LIMIT)) == ["x [part 2 of 2 is missing]"]


def test_ids() -> None:
    """The same of the same parts at the same time, another of anything else."""

    def id_of(first: bytes, when: float, sender: str = ALICE) -> str:
        joining = Joining(LIMIT)
        joining.add(part(1, first, 2, sender=sender), when)
        return joining.add(part(2, b"b", 2, sender=sender), when + 5)[0].id

    ids = {id_of(b"a", NOW), id_of(b"c", NOW), id_of(b"a", NOW + 1), id_of(b"a", NOW, BOB)}
    assert len(ids) == 4
    assert id_of(b"a", NOW) in ids


@given(st.text() | st.none())
def test_anything_stored_that_is_no_state_is_an_empty_one(text: str | None) -> None:
    assert Joining.decode(text, LIMIT).encode() == Joining(LIMIT).encode()


KEY = [OURS, ALICE, 7, 3, "gsm"]
GROUP = [KEY, NOW, "", True, {"1": ["YQ==", 0, 0]}]


def changed(at: int, value: object) -> list[object]:
    return [value if place == at else each for place, each in enumerate(GROUP)]


@pytest.mark.parametrize(
    "group",
    [
        changed(4, {}),
        changed(4, {"4": ["YQ==", 0, 0]}),
        changed(4, {"0": ["YQ==", 0, 0]}),
        changed(4, {"1": ["YQ==", 0, 0], "2": ["YQ==", 0, 0], "3": ["YQ==", 0, 0]}),
        changed(4, {"one": ["YQ==", 0, 0]}),
        changed(4, {"1": ["?", 0, 0]}),
        changed(4, {"1": [7]}),
        changed(1, -1),
        changed(1, 1e300),
        changed(1, "soon"),
        changed(0, [OURS, ALICE, 7, 3, "runes"]),
        changed(0, [OURS, ALICE, 7, 256, "gsm"]),
        changed(0, [OURS]),
        [],
        None,
    ],
)
def test_a_state_with_anything_wrong_is_an_empty_one(group: object) -> None:
    good = json.dumps({"groups": [GROUP], "given": []})
    assert Joining.decode(good, LIMIT).next_expiry == NOW + LIMIT
    bad = json.dumps({"groups": [GROUP, group], "given": []})
    assert Joining.decode(bad, LIMIT).next_expiry is None
    assert Joining.decode(good[:-1], LIMIT).next_expiry is None
    assert Joining.decode("[" * 100_000, LIMIT).next_expiry is None
    assert Joining.decode(good.replace('"given": []', f'"given": {"[" * 100_000}'), LIMIT).next_expiry is None


def test_the_work_per_part_does_not_grow_with_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    joining = Joining(LIMIT)
    for reference in range(GROUPS):
        joining.add(part(1, b"x", 2, reference=reference), NOW)
    looked_at = []
    for name in ("_digest", "_whole", "_id"):
        told = getattr(joining_module, name)
        monkeypatch.setattr(joining_module, name, lambda of, told=told: looked_at.append(of) or told(of))
    assert len(joining.add(part(1, b"x", 2, reference=999), NOW)) == 1
    assert len(looked_at) == 3
