"""Any texts in any parts, in any order, over restarts: each comes once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.text import gsm, segments, udh
from backends.sms.text.coding import Alphabet
from backends.sms.text.joining import Joining
from backends.sms.text.parts import Part, Piece, Whole
from backends.sms.text.segments import Segment, Split, Way

OURS, ALICE, BOB = "+15550000001", "+15551111111", "+15552222222"
NOW = 1_700_000_000.0
LIMIT = 600.0


def texts(wholes: list[Whole]) -> list[str]:
    return [whole.text for whole in wholes]


# What phones send: octets cut anywhere, also inside characters.

ENCODINGS = st.one_of(
    st.tuples(st.just(Alphabet.UCS2), st.text(st.characters(exclude_categories=["Cs"]), min_size=4)),
    st.tuples(st.just(Alphabet.GSM), st.text("ab€@^{\n", min_size=5)),
    st.tuples(st.just(Alphabet.LATIN), st.text(st.characters(max_codepoint=255), min_size=5)),
)


@st.composite
def sendings(draw: st.DrawFn) -> tuple[list[Part], Counter[tuple[str, str]]]:
    """Parts of several texts from few senders, in any order, some of them twice; the texts."""
    parts: list[Part] = []
    told: Counter[tuple[str, str]] = Counter()
    for reference, (alphabet, text) in enumerate(draw(st.lists(ENCODINGS, max_size=6))):
        sender = draw(st.sampled_from([ALICE, BOB, "bank"]))
        octets = encoded(alphabet, text)
        cuts = draw(st.sets(st.integers(1, len(octets) - 1), min_size=1, max_size=6))
        borders = [0, *sorted(cuts), len(octets)]
        pieces = [octets[start:end] for start, end in pairwise(borders)]
        # the same reference for texts of different senders
        same = reference if any(each.sender == sender for each in parts) else 0
        for place, piece in enumerate(pieces, 1):
            made = Part(OURS, sender, same, len(pieces), place, alphabet, Piece(piece))
            parts += [made] * draw(st.integers(1, 2))
        told[sender, text] += 1
    return draw(st.permutations(parts)), told


def encoded(alphabet: Alphabet, text: str) -> bytes:
    if alphabet is Alphabet.GSM:
        octets = gsm.encode(text)
        assert octets is not None
        return octets
    return text.encode("utf-16-be" if alphabet is Alphabet.UCS2 else "latin-1")


@given(sendings())
def test_each_text_comes_once(sent: tuple[list[Part], Counter[tuple[str, str]]]) -> None:
    parts, told = sent
    joining = Joining(LIMIT)
    wholes = [whole for at, each in enumerate(parts) for whole in joining.add(each, NOW + at)]
    assert Counter((whole.sender, whole.text) for whole in wholes) == told
    assert len({whole.id for whole in wholes}) == len(wholes)
    assert all(not whole.missing for whole in wholes)
    assert joining.expired(NOW + 10 * LIMIT) == []


ANY_PART = st.builds(
    Part,
    st.sampled_from([OURS, BOB]),
    st.sampled_from([ALICE, BOB]),
    st.integers(0, 1),
    st.integers(0, 4),
    st.integers(0, 5),
    st.sampled_from([Alphabet.GSM, Alphabet.UCS2, Alphabet.BINARY]),
    st.builds(Piece, st.binary(max_size=3), st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(["", "Bank"]),
)


@given(st.lists(st.tuples(st.floats(0, LIMIT), ANY_PART), max_size=40))
def test_stored_and_read_at_any_moment_it_does_the_same(steps: list[tuple[float, Part]]) -> None:
    kept, stored = Joining(LIMIT), Joining(LIMIT)
    now = NOW
    for later, each in steps:
        now += later
        stored = Joining.decode(stored.encode(), LIMIT)
        assert stored.encode() == kept.encode()
        assert stored.next_expiry == kept.next_expiry
        assert stored.expired(now) == kept.expired(now)
        assert stored.add(each, now) == kept.add(each, now)
    assert Joining.decode(kept.encode(), LIMIT).expired(now + 10 * LIMIT) == kept.expired(now + 10 * LIMIT)
    assert kept.next_expiry is None


@given(st.lists(st.tuples(st.floats(0, LIMIT), ANY_PART), max_size=40))
def test_no_octet_is_lost(steps: list[tuple[float, Part]]) -> None:
    """What was put in comes out in some text, and its bookkeeping ends at nothing."""
    joining = Joining(LIMIT)
    now, wholes = NOW, []
    for later, each in steps:
        now += later
        marked = msgspec.structs.replace(each, alphabet=Alphabet.LATIN)
        wholes += joining.expired(now) + joining.add(marked, now)
    wholes += joining.expired(now + 10 * LIMIT)
    told = "".join(texts(wholes))
    assert all(each.piece.octets.decode("latin-1") in told for _, each in steps)
    assert joining._octets == 0
    assert not joining._groups


@given(sendings(), st.data())
def test_killed_anywhere_each_text_comes_once(
    sent: tuple[list[Part], Counter[tuple[str, str]]], data: st.DataObject
) -> None:
    """The carrier brings again what was not acknowledged: the last parts, stored or not."""
    parts, told = sent
    saved = Joining(LIMIT).encode()
    wholes: list[Whole] = []
    lost: list[Whole] = []
    for at in range(len(parts)):
        again = data.draw(st.integers(0, 2))
        for each in parts[max(0, at - again) : at + 1]:
            if data.draw(st.booleans()):
                lost += Joining.decode(saved, LIMIT).add(each, NOW + at)
            joining = Joining.decode(saved, LIMIT)
            wholes += joining.add(each, NOW + at)
            saved = joining.encode()
    assert Counter((whole.sender, whole.text) for whole in wholes) == told
    assert {whole.id for whole in lost} <= {whole.id for whole in wholes}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(
    ["Ein Brief mit 😀 und 👨‍👩‍👧‍👦. " * 20, "€[]" * 200, "a\r\n" * 120, "e\u0301" * 150]
)


@given(TEXTS, st.sampled_from(Way), st.integers(0, 0xFFFF), st.randoms())
def test_what_is_cut_by_any_way_comes_together(text: str, way: Way, reference: int, random: Random) -> None:
    cut = segments.split(text, way, reference)
    parts = [sent_part(segment, cut, way, reference, place) for place, segment in enumerate(cut.segments, 1)]
    random.shuffle(parts)
    joining = Joining(LIMIT)
    assert texts([whole for each in parts for whole in joining.add(each, NOW)]) == [text]


def sent_part(segment: Segment, cut: Split, way: Way, reference: int, place: int) -> Part:
    """A segment as it comes to the other side: its numbers are in the header, or beside it."""
    header, octets = udh.read(segment.udh + segment.octets) if segment.udh else (udh.NONE, segment.octets)
    told = header.concatenation or udh.Concatenation(reference, len(cut.segments), place)
    assert (told.total, told.place) == (len(cut.segments), place)
    assert (header.concatenation is None) == (len(cut.segments) == 1 or way is Way.SAR)
    return Part(OURS, ALICE, told.reference, told.total, told.place, cut.alphabet, Piece(octets))
