"""Texts cut into segments: counts at the borders, what is never cut, and every way back to the text."""

from __future__ import annotations

import itertools

import pytest
import regex
from aiosmpplib.codec import GSM7BitCodec
from hypothesis import example, given
from hypothesis import strategies as st

from backends.sms.carrier import NotPossible
from backends.sms.text import coding, gsm, udh
from backends.sms.text.coding import Alphabet
from backends.sms.text.segments import MOST, Segment, Split, Way, count, split
from backends.sms.text.udh import Concatenation

FAMILY = "👨‍👩‍👧‍👦"
FLAG = "🇩🇪"
ROOM = {Way.UDH8: (153, 67), Way.UDH16: (152, 66), Way.SAR: (153, 67), Way.PAYLOAD: (153, 67)}
CLUSTERS = ("a", "é", "\r\n", "e\u0301", "й", "😀", "👍🏽", FLAG, FAMILY, "각", "क्षि", "€", "\ufffd", "1️⃣")

ways = st.sampled_from(Way)
sendable = st.text(st.characters(exclude_categories=["Cs"]))
# Long enough to be cut, of few kinds of characters, so that the borders fall everywhere.
long_gsm = st.lists(st.sampled_from("ab€^\r\n@"), min_size=120, max_size=400).map("".join)
long_wide = st.lists(st.sampled_from(CLUSTERS), min_size=30, max_size=200).map("".join)
texts = sendable | long_gsm | long_wide


def decoded(cut: Split) -> str:
    joined = b"".join(segment.octets for segment in cut.segments)
    return coding.shown(joined, cut.alphabet)


@pytest.mark.parametrize(
    ("text", "alphabet", "segments"),
    [
        ("", Alphabet.GSM, 1),
        ("a" * 160, Alphabet.GSM, 1),
        ("a" * 161, Alphabet.GSM, 2),
        ("a" * 306, Alphabet.GSM, 2),
        ("a" * 307, Alphabet.GSM, 3),
        ("€" * 80, Alphabet.GSM, 1),
        ("€" * 80 + "a", Alphabet.GSM, 2),
        # 76 in a segment, and an odd septet is left
        ("€" * 152, Alphabet.GSM, 2),
        ("€" * 153, Alphabet.GSM, 3),
        ("@" * 160, Alphabet.GSM, 1),
        ("ж" * 70, Alphabet.UCS2, 1),
        ("ж" * 71, Alphabet.UCS2, 2),
        ("ж" * 134, Alphabet.UCS2, 2),
        ("ж" * 135, Alphabet.UCS2, 3),
        ("a" * 70 + "ж", Alphabet.UCS2, 2),
        ("😀" * 35, Alphabet.UCS2, 1),
        ("😀" * 36, Alphabet.UCS2, 2),
        # 33 in a segment, and an odd unit is left
        ("😀" * 66, Alphabet.UCS2, 2),
        ("😀" * 67, Alphabet.UCS2, 3),
        ("ç", Alphabet.UCS2, 1),
    ],
)
def test_borders(text: str, alphabet: Alphabet, segments: int) -> None:
    cut = split(text)
    assert (cut.alphabet, cut.count, len(cut.segments)) == (alphabet, segments, segments)
    assert count(text) == segments
    assert decoded(cut) == text


@pytest.mark.parametrize(
    ("text", "segments"),
    [("a" * 304, 2), ("a" * 305, 3), ("ж" * 132, 2), ("ж" * 133, 3), ("a" * 160, 1), ("ж" * 70, 1)],
)
def test_borders_with_a_wide_reference(text: str, segments: int) -> None:
    assert count(text, Way.UDH16) == len(split(text, Way.UDH16).segments) == segments


@pytest.mark.parametrize("cluster", [FAMILY, FLAG, "👍🏽", "e\u0301", "각", "\r\n", "1️⃣", "क्षि"])
@pytest.mark.parametrize("before", range(50, 70))
def test_clusters_at_the_border_stay_whole(cluster: str, before: int) -> None:
    text = "ж" * before + cluster + "ж" * 40
    first, second = split(text).segments
    assert (first.text + second.text, cluster in first.text or cluster in second.text) == (text, True)


@pytest.mark.parametrize("before", [0, 1, 30])
def test_a_cluster_longer_than_a_segment_is_cut_between_characters(before: int) -> None:
    text = "ж" * before + "a" + "\u0301" * 100 + "😀"
    cut = split(text)
    assert decoded(cut) == text
    assert all(len(segment.octets) <= 134 for segment in cut.segments)
    assert cut.segments[-1].text.endswith("😀")


def test_a_long_cluster_is_not_cut_in_a_surrogate_pair() -> None:
    for before in range(3):
        text = "ж" * before + "😀" + "\U000e0061" * 80
        cut = split(text)
        assert decoded(cut) == text
        assert all(len(segment.octets) <= 134 for segment in cut.segments)
        assert all("\ufffd" not in segment.octets.decode("utf-16-be", "replace") for segment in cut.segments)


def test_an_escape_stays_with_its_character() -> None:
    first, second = split("a" * 152 + "€" + "a" * 20).segments
    assert (first.octets, second.octets) == (b"a" * 152, b"\x1be" + b"a" * 20)


def test_a_line_break_of_two_stays_whole() -> None:
    first, second = split("a" * 152 + "\r\n" + "a" * 20).segments
    assert (first.text, second.text) == ("a" * 152, "\r\n" + "a" * 20)


def test_a_form_feed_is_no_line_feed() -> None:
    """ESC LF after CR: the CR alone may end a segment."""
    first, second = split("a" * 152 + "\r\f" + "a" * 20).segments
    assert (first.text, second.text) == ("a" * 152 + "\r", "\f" + "a" * 20)


def test_headers() -> None:
    narrow = split("a" * 400, Way.UDH8, 0x1CC)
    assert [udh.read(each.udh)[0].concatenation for each in narrow.segments] == [
        Concatenation(0xCC, 3, place) for place in (1, 2, 3)
    ]
    wide = split("a" * 400, Way.UDH16, 0x1CC)
    assert [udh.read(each.udh)[0].concatenation for each in wide.segments] == [
        Concatenation(0x1CC, 3, place) for place in (1, 2, 3)
    ]
    assert [each.udh for each in split("a" * 400, Way.SAR, 7).segments] == [b""] * 3
    assert split("a" * 400, Way.PAYLOAD) == Split(Alphabet.GSM, (Segment("a" * 400, b"a" * 400),), 3)
    assert split("a" * 160, Way.UDH16, 7).segments == (Segment("a" * 160, b"a" * 160),)


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize(("char", "size"), [("a", 1), ("ж", 1), ("€", 2), ("😀", 2)])
def test_at_most_255(char: str, size: int, way: Way) -> None:
    room = ROOM[way][char in "ж😀"] // size
    assert count(char * room * MOST, way) == MOST
    for many in (room * MOST + 1, 100_000):
        with pytest.raises(NotPossible, match="255"):
            count(char * many, way)
        with pytest.raises(NotPossible):
            split(char * many, way)


def test_lone_surrogates_become_replacements() -> None:
    assert decoded(split("a\ud83d b\udc00")) == "a\ufffd b\ufffd"
    assert decoded(split("\ud83d\ude00")) == "😀"
    assert split("\ud83d\ude00").segments[0].text == "😀"


def test_nul_is_sent() -> None:
    assert split("a\0b").segments == (Segment("a\0b", b"\0a\0\0\0b"),)


@given(texts, ways)
@example("e" + "\u0301" * 200, Way.UDH8)
def test_any_text_by_any_way_and_back(text: str, way: Way) -> None:
    cut = split(text, way, 7)
    assert decoded(cut) == "".join(segment.text for segment in cut.segments) == text
    assert count(text, way) == cut.count
    assert len(cut.segments) == (1 if way is Way.PAYLOAD else cut.count)


@given(st.text() | texts, ways)
def test_no_segment_is_too_long(text: str, way: Way) -> None:
    cut = split(text, way)
    septets, units = (160, 70) if cut.count == 1 else ROOM[way]
    if way is not Way.PAYLOAD:
        for segment in cut.segments:
            assert len(segment.octets) <= (septets if cut.alphabet is Alphabet.GSM else units * 2)
            assert bits(segment, cut.alphabet) <= 140 * 8
            assert coding.shown(segment.octets, cut.alphabet) == segment.text


def bits(segment: Segment, alphabet: Alphabet) -> int:
    """How many of the 1120 that the network has."""
    header = len(segment.udh)
    if alphabet is Alphabet.GSM:
        return header * 8 + gsm.fill_bits(header) + len(segment.octets) * 7
    return (header + len(segment.octets)) * 8


@given(texts, ways)
def test_no_cluster_is_cut(text: str, way: Way) -> None:
    borders = {match.end() for match in regex.finditer(r"\X", text)} | {0}
    _, units = ROOM[way]
    at = 0
    for segment in split(text, way).segments:
        at += len(segment.text)
        assert at in borders or any(
            len(match[0].encode("utf-16-be")) > units * 2 for match in regex.finditer(r"\X", text)
        )


@given(texts, ways)
def test_no_segment_could_have_taken_the_next_cluster(text: str, way: Way) -> None:
    """They are as few as they can be."""
    cut = split(text, way)
    septets, units = ROOM[way]
    for segment, following in itertools.pairwise(cut.segments):
        cluster = regex.match(r"\X", following.text)[0]
        octets = gsm.encode(cluster) if cut.alphabet is Alphabet.GSM else cluster.encode("utf-16-be")
        assert len(segment.octets + octets) > (septets if cut.alphabet is Alphabet.GSM else units * 2)


@given(sendable)
def test_a_text_is_in_the_smaller_alphabet_that_has_it(text: str) -> None:
    assert (split(text).alphabet is Alphabet.GSM) == GSM7BitCodec.is_gsm_text(text)
