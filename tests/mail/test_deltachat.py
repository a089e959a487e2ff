"""Somebody on Delta Chat and somebody on XMPP chat through the bridge."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slixmpp.xmlstream.stanzabase import StanzaBase

from tests.mail.conftest import FALLBACK, OOB, REPLY, SUBJECT, THREAD, People
from tests.mail.town import PASSWORD, puppet
from tests.peers.deltachat import DeltaChat, Mailbox, deltachat
from tests.peers.xmpp_client import message


@pytest.fixture
async def rose(people: People) -> AsyncIterator[DeltaChat]:
    """Rose reads and writes her mail with Delta Chat."""
    town = people.town
    mailbox = Mailbox(people.rose, PASSWORD, town.dovecot.tls_port, town.postfix.tls_port)
    async with deltachat(mailbox, "Rose Red") as rose:
        yield rose


def a_picture() -> bytes:
    """A small PNG that any program can open."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + b"\xff\x80\x00" * 8 for _ in range(8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def from_(address: str) -> Callable[[Any], bool]:
    """For `wait`: a message by that address."""
    return lambda got: got.sender.get_snapshot().address == address


def without_fallback(stanza: StanzaBase) -> str:
    """What a client shows that shows replies (XEP-0461)."""
    part = stanza.xml.find(FALLBACK)
    assert part is not None
    body: str = stanza["body"]
    return body[: int(part.get("start", ""))] + body[int(part.get("end", "")) :]


async def test_texts_are_clean_on_both_sides(people: People, rose: DeltaChat) -> None:
    alice, jid = people.alice, puppet(people.rose)
    await rose.set(selfstatus="I am using Delta Chat!")
    await rose.say(people.own, "Grüß dich! 😀")
    first = await alice.wait(message(jid), 30.0)
    assert first["body"] == "Grüß dich! 😀"
    assert first.xml.findtext(SUBJECT) is None
    assert first.xml.findtext("{http://jabber.org/protocol/nick}nick") == "Rose Red"

    await rose.say(people.own, "two lines:\n--\n> 3 is more than 2")
    second = await alice.wait(message(jid), 30.0)
    assert second["body"] == "two lines:\n--\n> 3 is more than 2"
    assert second.xml.find(REPLY) is None
    assert second.xml.findtext(THREAD) == first.xml.findtext(THREAD)

    alice.say(jid, "Schön, dich zu hören 🎉\n-- \nthe end")
    got = await rose.wait(from_(people.own))
    assert got.text == "Schön, dich zu hören 🎉\n--\nthe end"
    assert not got.has_html
    alice.say(jid, "> a quote\nand > more")
    assert (await rose.wait(from_(people.own))).text == "and > more"


async def test_alice_begins(people: People, rose: DeltaChat) -> None:
    alice, jid = people.alice, puppet(people.rose)
    alice.say(jid, "Hello Rose")
    got = await rose.wait(from_(people.own))
    assert got.text.endswith("Hello Rose")
    await rose.say(people.own, "Hello Alice")
    assert (await alice.wait(message(jid), 30.0))["body"] == "Hello Alice"
    alice.say(jid, "How are you?")
    assert (await rose.wait(from_(people.own))).text == "How are you?"


async def test_replies_are_seen_as_replies(people: People, rose: DeltaChat) -> None:
    alice, jid = people.alice, puppet(people.rose)
    asked = alice.say(jid, "Tea or coffee?")
    question = await rose.wait(from_(people.own))
    alice.say(jid, "And when?")
    await rose.wait(from_(people.own))
    await rose.say(people.own, "Coffee!", quote=question)
    answer = await alice.wait(message(jid), 30.0)
    reply = answer.xml.find(REPLY)
    assert reply is not None
    assert (reply.get("to"), reply.get("id")) == (alice.bare, asked)
    assert without_fallback(answer) == "Coffee!"
    assert "> Tea or coffee?" not in without_fallback(answer)
    assert "Tea or coffee?" in answer["body"]

    await rose.say(people.own, "Or not.")
    await alice.wait(message(jid), 30.0)
    quote = "> Coffee!\n"
    alice.send(
        f"<message to='{jid}' type='chat' id='r1'><body>{quote.replace('>', '&gt;')}Fine.</body>"
        f"<reply xmlns='urn:xmpp:reply:0' to='{jid}' id='{answer['id']}'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>"
        f"<body start='0' end='{len(quote)}'/></fallback></message>"
    )
    got = await rose.wait(from_(people.own))
    assert got.text == "Fine."
    assert got.quote.text == "Coffee!"
    assert got.quote.kind == "WithMessage"


async def test_a_reaction_is_about_its_message(people: People, rose: DeltaChat) -> None:
    alice, jid = people.alice, puppet(people.rose)
    asked = alice.say(jid, "Shall we meet?")
    question = await rose.wait(from_(people.own))
    alice.say(jid, "Or tomorrow?")
    await rose.wait(from_(people.own))
    await rose.react(question, "👍")
    got = await alice.wait(message(jid), 30.0)
    assert got["body"] == "👍"
    reply = got.xml.find(REPLY)
    assert reply is not None
    assert reply.get("id") == asked


async def test_pictures_go_both_ways(people: People, rose: DeltaChat, tmp_path: Path) -> None:
    alice, jid = people.alice, puppet(people.rose)
    file = tmp_path / "höhe.png"
    file.write_bytes(a_picture())
    await rose.say(people.own, "Look up", file=file)
    assert (await alice.wait(message(jid), 30.0))["body"] == "Look up"
    shown = await alice.wait(message(jid), 30.0)
    url = shown.xml.findtext(OOB)
    assert url == shown["body"]
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert (await response.read())[:8] == a_picture()[:8]
    alice.send(
        f"<message to='{jid}' type='chat' id='p1'><body>{url}</body>"
        f"<x xmlns='jabber:x:oob'><url>{url}</url></x></message>"
    )
    got = await rose.wait(from_(people.own))
    assert got.view_type == "Image"
    assert Path(got.file).read_bytes()[:8] == a_picture()[:8]
