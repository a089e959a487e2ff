"""XEP-0106's own examples, round trips, and what counts as a JID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slixmpp import JID

from bridge.xmpp import jids

# XEP-0106 §5.1 and §4.4
EXAMPLES = [
    ("space cadet", r"space\20cadet"),
    ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
    ("at&t guy", r"at\26t\20guy"),
    ("d'artagnan", r"d\27artagnan"),
    ("/.fanboy", r"\2f.fanboy"),
    ("::foo::", r"\3a\3afoo\3a\3a"),
    ("<foo>", r"\3cfoo\3e"),
    ("user@host", r"user\40host"),
    (r"c:\net", r"c\3a\net"),
    (r"c:\\net", r"c\3a\\net"),
    (r"c:\cool stuff", r"c\3a\cool\20stuff"),
    (r"c:\5commas", r"c\3a\5c5commas"),
    (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
    (r"\2plus\2is\4", r"\2plus\2is\4"),
    (r"foo\bar", r"foo\bar"),
    (r"foob\41r", r"foob\41r"),
]


@pytest.mark.parametrize(("address", "local"), EXAMPLES)
def test_the_examples_of_the_xep(address: str, local: str) -> None:
    assert jids.escape_local(address) == local
    assert jids.unescape_local(local) == address


ADDRESS = st.text(st.one_of(st.sampled_from("\\ 245cf@/:&'\"<>"), st.characters(exclude_categories=["Cs"])))


@given(ADDRESS)
def test_escaping_loses_nothing(address: str) -> None:
    if not address or address[0] == " " or address[-1] == " ":
        with pytest.raises(jids.BadJid):
            jids.escape_local(address)
        return
    local = jids.escape_local(address)
    assert not set(local) & set(" \"&'/:<>@")
    assert jids.unescape_local(local) == address


@pytest.mark.parametrize("local", [r"\20", r"\20a", r"a\20", r"\20a\20"])
def test_an_escaped_space_at_an_end_is_none(local: str) -> None:
    assert jids.unescape_local(local) == local


@given(st.text("abc%#\\.", max_size=5), st.sampled_from(["example.test", "b"]), st.text("xy/@ z", max_size=6))
def test_splitting_is_what_slixmpp_does(local: str, domain: str, resource: str) -> None:
    jid = jids.join(local, domain, resource)
    assert jids.split(jid) == (local, domain, resource)
    assert jids.bare(jid) == jids.join(local, domain)
    assert jids.resource(jid) == resource
    theirs = JID(jid)
    assert (theirs.user, theirs.domain, theirs.resource) == (local, domain, resource)


@pytest.mark.parametrize(
    ("given_", "prepared"),
    [
        ("Romeo@Example.TEST/Orchard", "romeo@example.test/Orchard"),
        ("#Chan%irc.libera.chat@irc.b", "#chan%irc.libera.chat@irc.b"),
        ("irc.example.test", "irc.example.test"),
        ("a@b/📱 Phone", "a@b/📱 Phone"),
        ("A🦀@B/🦀☀", "a🦀@b/🦀☀"),
    ],
)
def test_prepare_normalises(given_: str, prepared: str) -> None:
    assert jids.prepare(given_) == prepared
    assert jids.prepare(prepared) == prepared


@pytest.mark.parametrize(
    "bad",
    ["", "@b", "a@", "a@/r", "a@b/", "a b@c", "a@b c", "a@b/\x00", "a@b/\ud800", "a@b/" + "r" * 1024,
     "a@b/" + "🦀" * 256, "a@🦀", "a@b\n", "a\"b@c"],
)  # fmt: skip
def test_prepare_refuses(bad: str) -> None:
    with pytest.raises(jids.BadJid):
        jids.prepare(bad)


@given(st.text(max_size=20))
def test_prepare_only_ever_raises_bad_jid(jid: str) -> None:
    try:
        prepared = jids.prepare(jid)
    except jids.BadJid:
        return
    assert jids.prepare(prepared) == prepared


@pytest.mark.parametrize(
    ("jid", "expected"),
    [
        ("+15551234567@gw.test", "xmpp:+15551234567@gw.test"),
        ("al\\40x.org@gw.test", "xmpp:al%5C40x.org@gw.test"),
        ("#c%net@gw.test", "xmpp:%23c%25net@gw.test"),
        ("ä?@gw.test", "xmpp:%C3%A4%3F@gw.test"),
    ],
)
def test_uris(jid: str, expected: str) -> None:
    assert jids.uri(jid) == expected
