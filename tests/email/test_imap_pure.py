"""The parts of the IMAP side that are only values: places, names, sets of numbers, responses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.email.imap import place, syntax, utf7
from backends.email.imap.mailbox import Overview
from backends.email.imap.place import Place
from backends.email.imap.reading import Reader
from bridge.api import ProtocolError

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def mail(uid: int, name: str, arrived: datetime, sent: datetime | None = None) -> Overview:
    return Overview(uid, 10, arrived, message_id=f"{name}@x.example", sent=sent)


def renumbered() -> Place:
    """`known` came at NOW and was dealt with; then a mailbox of ten mails got new numbers."""
    return Place(validity=1, uid=4).after(mail(5, "known", NOW)).renumbered(2, 10)


@pytest.mark.parametrize(
    ("candidate", "new"),
    [
        (mail(3, "known", NOW), False),
        (mail(3, "known", NOW + DAY, NOW), False),  # moved, and its date forgotten
        (mail(3, "old", NOW - DAY), False),
        (mail(3, "old", NOW + DAY, NOW - 300 * DAY), False),  # the same, long before
        (mail(3, "other", NOW), True),  # within the same second
        (mail(3, "later", NOW + DAY, NOW + DAY), True),
        (mail(3, "slow", NOW + DAY, NOW - 2 * DAY), True),
        (mail(3, "undated", NOW + DAY), True),
        (mail(11, "old date, new number", NOW - 300 * DAY, NOW - 300 * DAY), True),
    ],
)
def test_what_is_new_under_new_numbers(candidate: Overview, new: bool) -> None:
    assert renumbered().is_new(candidate) is new


def test_doubts_last_until_all_are_looked_at_even_over_a_restart() -> None:
    here = renumbered().after(mail(3, "later", NOW + DAY))
    again = place.load(place.dump(here))
    assert again == here
    assert again is not None
    assert not again.is_new(mail(4, "old", NOW - DAY))
    assert again.is_new(mail(4, "earlier than the last", NOW + DAY / 2))
    settled = again.passed(10)
    assert (settled.doubtful, settled.since, settled.uid) == (0, 0, 10)
    assert place.load(None) is None
    with pytest.raises(ValueError, match="truncated"):
        place.load("{")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_mailbox_names_come_back(name: str) -> None:
    written = utf7.encode(name)
    assert written.isascii()
    assert utf7.decode(written) == name


@pytest.mark.parametrize(
    ("name", "written"), [("Entwürfe", "Entw&APw-rfe"), ("台北", "&U,BTFw-"), ("A & B", "A &- B")]
)
def test_mailbox_names_as_others_write_them(name: str, written: str) -> None:
    assert utf7.encode(name) == written


@given(st.text(max_size=30))
def test_a_name_that_is_no_utf7_stays(name: str) -> None:
    utf7.decode(name)


@given(st.sets(st.integers(1, 60)))
def test_sets_of_numbers(uids: set[int]) -> None:
    found: set[int] = set()
    for part in syntax.sequence(sorted(uids)).split(",") if uids else []:
        first, _, last = part.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    assert found == uids


@given(
    st.lists(st.sampled_from([b"* 1 FETCH ({3}\r\nabc {0}\r\n)\r\n", b"* OK x {5}\r\n", b"a\n"])), st.data()
)
def test_responses_are_the_same_however_they_are_cut(responses: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(responses)
    size = data.draw(st.integers(1, 9))
    whole, cut = Reader(100), Reader(100)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    expected = list(whole.feed(stream))
    assert [each for piece in pieces for each in cut.feed(piece)] == expected
    assert len(expected) == len(responses)
    assert cut.between_responses


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(ProtocolError):
        list(Reader(100).feed(b"* 1 FETCH {101}\r\n"))
    with pytest.raises(ProtocolError):
        list(Reader(100).feed(b"x" * 3_000_000))
    with pytest.raises(ProtocolError):
        syntax.values((b"* " + b"(" * 100,))
    with pytest.raises(ProtocolError):
        syntax.values((b"* " + b"a " * 30_000,))
