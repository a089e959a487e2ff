"""Whatever a value holds, what is rendered from it parses back to the same, less what XML cannot carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from slixmpp import Message, Presence
from slixmpp.xmlstream.stanzabase import StanzaBase

from bridge.api import (
    Attachment,
    ContactId,
    Content,
    Departure,
    NetworkId,
    Occupant,
    OccupantId,
    Rank,
    Reason,
    RoomAddress,
    RoomId,
    Span,
    Style,
)
from bridge.core.room import Room
from bridge.core.values import DirectMessage, RoomMessage
from bridge.xmpp.addresses import Addresses, resource_of
from bridge.xmpp.direct import message_xml
from bridge.xmpp.errors import message_error
from bridge.xmpp.escape import legal
from bridge.xmpp.jids import prepare
from bridge.xmpp.muc_messages import RoomMessages, invitation_xml
from bridge.xmpp.muc_presences import RoomPresences
from bridge.xmpp.render import body_of, stamp
from bridge.xmpp.render_room import RoomView
from bridge.xmpp.render_spans import xhtml
from tests.xmpp_rooms.stage import IN, OCCUPANT_ID, PHONE, ROOM, SID, USER, item, parsed
from tests.xmpp_rooms.village import Village

HOSTILE = [
    "",
    " ",
    "&amp;",
    "]]>",
    "<body>",
    "'\"",
    "\x00\x02",
    "\ud800",
    "\ufffe",
    "\r\n\t",
    "a'/><x>",
    "é中🎉",
    "\u202e",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=20))
some = texts.filter(lambda text: bool(legal(text)))
spans = st.builds(
    Span,
    st.integers(-3, 25),
    st.integers(-3, 25),
    st.sampled_from(Style),
    st.one_of(texts, st.just("#00ff00/#ff0000")),
)
contents = st.builds(
    Content,
    text=texts,
    spans=st.lists(spans, max_size=4).map(tuple),
    attachments=st.lists(st.builds(Attachment, url=texts), max_size=2).map(tuple),
    action=st.booleans(),
    notice=st.booleans(),
    subject=st.none() | texts,
)
messages = st.builds(
    RoomMessage,
    archive_id=st.integers(0, 2**62),
    sender=texts.map(OccupantId),
    occupant_id=texts,
    stanza_id=texts,
    content=contents,
    origin_id=texts,
    reply_to=texts,
    reply_name=texts,
    thread=texts,
    replaces=texts,
    foreign_ids=st.lists(st.tuples(st.one_of(texts, st.just(ROOM)), texts), max_size=3).map(tuple),
    sent_at=st.integers(0, 2**62),
)
occupants = st.builds(
    Occupant,
    name=some.map(OccupantId),
    rank=st.sampled_from(Rank),
    real=texts,
    contact=st.none() | some.map(ContactId),
    away=st.booleans(),
)


def normal(text: str) -> str:
    """As expat gives text: XML's own line-end rule does not apply, since \\r is written as a reference."""
    return legal(text)


def make_room() -> Room:
    room = Room("alice@example.test", ROOM, RoomAddress(NetworkId("x.example"), RoomId("#c")))
    room.resources[PHONE] = None
    return room


def one(text: str) -> ET.Element:
    (element,) = parsed(text)
    return element


def slixmpp_reads(xml: str, kind: type[StanzaBase]) -> list[StanzaBase]:
    """Rendered stanzas as slixmpp's own stanza class has them."""
    return [kind(xml=element) for element in ET.fromstring(f"<s xmlns='jabber:client'>{xml}</s>")]


@given(messages)
def test_room_messages(message: RoomMessage) -> None:
    sent: list[str] = []
    RoomMessages(sent.append, lambda: "i", lambda room, name: "o").said(make_room(), message)
    element = one(sent[0])
    assert slixmpp_reads(sent[0], Message)[0]["body"] == (element.findtext(IN + "body") or "")
    assert element.get("type") == "groupchat"
    assert element.get("to") == PHONE
    assert element.get("id") == normal(message.stanza_id)
    sender = f"{ROOM}/{resource_of(message.sender)}" if message.sender else ROOM
    assert element.get("from") == sender
    assert (element.findtext(IN + "body") or "") == normal(body_of(message.content, marked=True))
    assert (element.findtext(IN + "subject") or "") == normal(message.content.subject or "")
    assert (element.findtext(IN + "thread") or "") == normal(message.thread)
    urls = [url.text or "" for url in element.iterfind("{jabber:x:oob}x/{jabber:x:oob}url")]
    assert urls == [normal(each.url) for each in message.content.attachments]
    own = [each.get("id") for each in element.iterfind(SID + "stanza-id") if each.get("by") == ROOM]
    assert own == [str(message.archive_id)]
    others = [(each.get("by"), each.get("id")) for each in element.iterfind(SID + "stanza-id")]
    kept = [(normal(by), normal(id_)) for by, id_ in message.foreign_ids if by != ROOM]
    assert others == [*kept, (ROOM, str(message.archive_id))]
    assert element.find(OCCUPANT_ID).get("id") == normal(message.occupant_id)  # type: ignore[union-attr]
    for value, path, name in (
        (message.origin_id, SID + "origin-id", "id"),
        (message.replaces, "{urn:xmpp:message-correct:0}replace", "id"),
        (message.reply_to, "{urn:xmpp:reply:0}reply", "id"),
    ):
        found = element.find(path)
        assert (found is not None) == bool(value)
        if found is not None:
            assert found.get(name) == normal(value)


@given(messages)
def test_history_and_archive_say_the_same(message: RoomMessage) -> None:
    view = RoomView(ROOM)
    live, past = (one(PHONE.join(parts)) for parts in (view.live(message), view.historic(message)))
    forwarded = one(view.archived(message))
    archived = forwarded.find("{jabber:client}message")
    assert archived is not None
    delay = "{urn:xmpp:delay}delay"
    assert past.find(delay).get("stamp") == stamp(message.sent_at or message.archive_id)  # type: ignore[union-attr]
    assert forwarded.find(delay).get("stamp") == stamp(message.sent_at or message.archive_id)  # type: ignore[union-attr]
    seen = [
        [child.tag.rpartition("}")[2] for child in each if child.tag != delay]
        for each in (live, past, archived)
    ]
    assert seen[0] == seen[1] == seen[2]


@given(occupants, occupants, texts, texts, st.sampled_from(Departure))
def test_presences(old: Occupant, new: Occupant, actor: str, text: str, how: Departure) -> None:
    sent: list[str] = []
    addresses = Addresses("irc.example.test", Village())
    face = RoomPresences(sent.append, addresses, lambda room, name: name, lambda kind: "<c xmlns='urn:c'/>")
    room = make_room()
    me = Occupant(OccupantId("me"))
    room.entered(me.name, (old, me), "", "", "")
    face.joined(room, old)
    face.changed(room, old, actor)
    face.left(room, old, how, actor, text)
    face.renamed(room, old, new)
    face.out(room, [PHONE], how, actor, text)
    face.refused(room, PHONE, Reason.CONFLICT, text)
    sent.append("".join(face.entering(room, PHONE)))
    elements = [element for xml in sent for element in parsed(xml)]
    for stanza in slixmpp_reads("".join(sent), Presence):
        assert stanza["type"] in ("available", "away", "unavailable", "error")
    here = elements[0]
    assert here.get("from") == f"{ROOM}/{resource_of(old.name)}"
    assert here.find(OCCUPANT_ID).get("id") == normal(old.name)  # type: ignore[union-attr]
    assert (here.findtext(IN + "show") == "away") == old.away
    gone = elements[2]
    by_hand = how in (Departure.KICKED, Departure.BANNED)
    if by_hand:
        assert (item(gone).findtext(USER + "reason") or "") == normal(text)
    elif how is not Departure.DESTROYED:
        assert (gone.findtext(IN + "status") or "") == normal(text)
    renamed = elements[3]
    assert item(renamed).get("nick") == normal(new.name)


@given(texts, texts, texts, texts, st.builds(
    DirectMessage, stanza_id=texts, content=contents, sent_at=st.integers(0, 2**62), reply_to=texts,
    thread=texts, replaces=texts, own=st.booleans(),
))  # fmt: skip
def test_the_rest(a: str, b: str, c: str, d: str, message: DirectMessage) -> None:
    xml = message_xml(a, b, message, "", message.sent_at)
    element = one(xml)
    assert slixmpp_reads(xml, Message)[0]["id"] == normal(message.stanza_id)
    mark = "[me] " if message.own else ""
    assert (element.findtext(IN + "body") or "") == mark + normal(body_of(message.content))
    assert (element.get("to"), element.get("from")) == (normal(a), normal(b))
    invite = one(invitation_xml(a, b, c, d, "i"))
    assert invite.find(f"{USER}x/{USER}invite").get("from") == normal(c)  # type: ignore[union-attr]
    assert (invite.findtext(f"{USER}x/{USER}invite/{USER}reason") or "") == normal(d)
    failed = one(message_error(a, b, c, Reason.NOT_FOUND, d))
    text = failed.findtext(f"{IN}error/{{urn:ietf:params:xml:ns:xmpp-stanzas}}text") or ""
    assert text == normal(d)


@given(texts, texts, st.booleans(), st.booleans())
def test_a_quote_is_a_fallback_where_what_it_answers_is_shown(
    text: str, quoted: str, own: bool, known: bool
) -> None:
    content = Content(text, quoted=quoted)
    message = DirectMessage("i", content, reply_to="known" if known else "", own=own)
    element = one(message_xml("a@b", "c@d", message, "", 0))
    body = element.findtext(IN + "body") or ""
    part = element.find("{urn:xmpp:fallback:0}fallback/{urn:xmpp:fallback:0}body")
    assert (part is not None) == (known and bool(quoted))
    if part is not None:
        assert body[int(part.get("end", "")) :] == normal(text)
    if quoted:
        marked = "".join(f"> {line}\n" for line in normal(quoted).split("\n"))
        assert body == ("[me] " if own else "") + marked + normal(text)


@given(contents)
def test_xhtml_has_the_words_of_the_body(content: Content) -> None:
    xml = xhtml(content, marked=True)
    if not xml:
        return
    body = ET.fromstring(xml)
    words = "".join("\n" if part.tag.endswith("br") else part.text or "" for part in flat(body))
    plain = body_of(Content(content.text, action=content.action, notice=content.notice), marked=True)
    assert words == normal(plain)
    for link in body.iter("{http://www.w3.org/1999/xhtml}a"):
        assert (link.get("href") or "").partition(":")[0].lower() not in (
            "javascript",
            "data",
            "vbscript",
            "",
        )


def flat(element: ET.Element) -> list[ET.Element]:
    """The element and all below, with a made-up element for each tail, in the order of reading."""
    found = [element]
    for child in element:
        found += flat(child)
        tail = ET.Element("tail")
        tail.text = child.tail
        found.append(tail)
    return found


@given(st.integers(-(2**62), 2**62))
def test_stamps(micros: int) -> None:
    moment = datetime.fromisoformat(stamp(micros))
    if 0 <= micros < 253_402_300_800_000_000:
        assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == micros


@given(st.text(max_size=30))
def test_every_name_becomes_a_resource(name: str) -> None:
    resource = resource_of(name)
    assert prepare(f"x@example.test/{resource}")
    assert resource_of(resource) == resource
