"""In whatever pieces a stream comes, each of its elements is passed on once, whole and in order."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.xmpp import elements
from bridge.xmpp.elements import Elements, ParseError

HEADER = "<?xml version='1.0'?><stream:stream xmlns='urn:c' xmlns:stream='urn:s' id='7'>"
LEAF = st.sampled_from(["<body>grüße &lt;b&gt; 🦀</body>", "<x xmlns='urn:x'/>", "text", "<![CDATA[</m>]]>"])
INNER = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3).map(
    lambda found: f"<a n='1'>{''.join(found)}</a>"), max_leaves=6)  # fmt: skip
STANZA = st.lists(INNER, max_size=3).map(lambda found: f"<m id='1'>{''.join(found)}</m>")
BETWEEN = st.sampled_from(["", " ", "\n"])
STREAM = st.lists(st.tuples(BETWEEN, STANZA), max_size=6)
ENOUGH = b" " * 4096
"""An expat with reparse deferral looks at a tag that came in pieces only when there is twice as much."""
CUTS = st.lists(st.integers(0, 2000), max_size=12)


class Reader:
    """An `Elements` and what it said, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.elements = Elements(self._opened, self._take, lambda: self.said.append("closed"))

    def _opened(self, root: ET.Element) -> None:
        self.said.append(f"opened {root.get('id')}")

    def _take(self, element: ET.Element) -> None:
        element.tail = None
        self.said.append(ET.tostring(element, encoding="unicode"))

    def feed(self, data: bytes, cuts: list[int]) -> None:
        places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in itertools.pairwise(places):
            self.elements.feed(data[start:end])


def expected(stream: list[tuple[str, str]]) -> list[str]:
    root = ET.fromstring(f"{HEADER}{''.join(stanza for _, stanza in stream)}</stream:stream>")
    return ["opened 7", *(ET.tostring(child, encoding="unicode") for child in root)]


def text_of(stream: list[tuple[str, str]]) -> str:
    return HEADER + "".join(between + stanza for between, stanza in stream)


@settings(deadline=None)
@given(STREAM, CUTS, st.sampled_from([1, 7, 16 * 1024]))
def test_any_pieces(stream: list[tuple[str, str]], cuts: list[int], piece: int) -> None:
    reader = Reader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "_PIECE", piece)
        reader.feed(text_of(stream).encode() + ENOUGH, cuts)
        assert reader.said == expected(stream)
        reader.feed(b"</stream:stream>" + ENOUGH, cuts)
    assert reader.said == [*expected(stream), "closed"]


@settings(deadline=None)
@given(STREAM, CUTS, st.sampled_from(["</wrong>", "<m><a></m>", "<m>&nothing;</m>", "<m a='1' a='2'/>"]))
def test_what_comes_before_an_error_is_passed_on(
    stream: list[tuple[str, str]], cuts: list[int], broken: str
) -> None:
    reader = Reader()
    with pytest.raises(ParseError):
        reader.feed((text_of(stream) + broken).encode(), cuts)
    assert reader.said == expected(stream)
    assert reader.elements.begun


def test_an_element_is_passed_on_as_soon_as_the_parser_has_it() -> None:
    reader, parser = Reader(), ET.XMLPullParser(("start", "end"))
    depth = 0
    seen: list[int] = []
    for byte in (HEADER + "<m><a/></m>" * 20).encode() + ENOUGH:
        reader.elements.feed(bytes([byte]))
        parser.feed(bytes([byte]))
        for event, _ in parser.read_events():
            depth += 1 if event == "start" else -1
            if (event, depth) in (("start", 1), ("end", 1)):
                seen.append(depth)
        assert len(reader.said) == len(seen)
    assert len(seen) == 21


def test_nothing_that_was_passed_on_is_kept() -> None:
    reader = Reader()
    reader.feed((HEADER + "<m/>" * 1000 + "<m>").encode(), [])
    assert reader.elements._root is not None
    assert len(reader.elements._root) == 1
