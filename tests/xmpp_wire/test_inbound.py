"""What slixmpp (or a hand) writes, we read, and slixmpp's own access reads the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slixmpp import Message, Presence
from slixmpp.plugins import xep_0066, xep_0184, xep_0203, xep_0249, xep_0308, xep_0359, xep_0444, xep_0461
from slixmpp.plugins.xep_0045 import stanza as muc
from slixmpp.plugins.xep_0085 import stanza as states
from slixmpp.plugins.xep_0333 import stanza as markers
from slixmpp.xmlstream import register_stanza_plugin

from bridge.api import Content
from bridge.xmpp import escape
from bridge.xmpp.inbound import BadStanza, InMessage, InPresence, read_message, read_presence
from bridge.xmpp.jids import BadJid
from bridge.xmpp.received import Delay, DirectInvite, InError, Marker, MucInvite, MucJoin, Reply, StanzaId
from bridge.xmpp.said import content_of

TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters="".join(map(chr, [*range(32), 0xFFFE, 0xFFFF]))
    )
)
ID = st.text("abcdef-0123456789<&'\"é🦀", min_size=1, max_size=12)
NAMESPACE = st.sampled_from(["jabber:component:accept", "jabber:client"])

for plugin in (
    xep_0308.Replace, xep_0184.Request, xep_0184.Received, xep_0359.OriginID, xep_0359.StanzaID,
    xep_0249.Invite, xep_0066.stanza.OOB, xep_0203.Delay, xep_0461.stanza.Reply, xep_0444.stanza.Reactions,
    muc.MUCMessage, markers.Displayed, markers.Markable, states.Active, states.Composing, states.Paused,
    states.Inactive, states.Gone,
):  # fmt: skip
    register_stanza_plugin(Message, plugin)
register_stanza_plugin(xep_0444.stanza.Reactions, xep_0444.stanza.Reaction, iterable=True)
register_stanza_plugin(muc.MUCMessage, muc.MUCInvite)
register_stanza_plugin(Presence, muc.MUCJoin)
register_stanza_plugin(muc.MUCJoin, muc.MUCHistory)


def message(inner: str = "", attributes: str = "", namespace: str = "jabber:component:accept") -> InMessage:
    addresses = "from='Romeo@example.test/Orchard' to='#c%irc.x@irc.test/nick'"
    head = f"<message xmlns='{namespace}' {addresses} {attributes}>"
    return read_message(ET.fromstring(f"{head}{inner}</message>".encode()))


def presence(inner: str = "", attributes: str = "") -> InPresence:
    addresses = "from='romeo@example.test/o' to='#c@irc.test/nick'"
    head = f"<presence xmlns='jabber:component:accept' {addresses} {attributes}>"
    return read_presence(ET.fromstring(f"{head}{inner}</presence>".encode()))


def test_the_addresses() -> None:
    read = message()
    assert read.sender == "romeo@example.test/Orchard"
    assert (read.to, read.to_local, read.to_domain, read.to_resource) == (
        "#c%irc.x@irc.test/nick", "#c%irc.x", "irc.test", "nick",
    )  # fmt: skip
    assert (read.type, read.id, read.body, read.subject) == ("normal", "", None, None)


@settings(max_examples=40, deadline=None)
@given(
    body=TEXT, subject=TEXT, thread=TEXT, ids=st.lists(ID, min_size=5, max_size=5), namespace=NAMESPACE,
    kind=st.sampled_from(["chat", "groupchat", "normal", "headline", "nonsense"]), url=ID,
    state=st.sampled_from(["active", "composing", "paused", "inactive", "gone"]),
)  # fmt: skip
def test_written_by_hand_read_alike_by_slixmpp(
    body: str, subject: str, thread: str, ids: list[str], namespace: str, kind: str, url: str, state: str
) -> None:
    attr = [escape.attr(each) for each in ids]
    read = message(
        f"<body>{escape.text(body)}</body><subject>{escape.text(subject)}</subject>"
        f"<thread>{escape.text(thread)}</thread><origin-id xmlns='urn:xmpp:sid:0' id='{attr[1]}'/>"
        f"<replace xmlns='urn:xmpp:message-correct:0' id='{attr[2]}'/><request xmlns='urn:xmpp:receipts'/>"
        f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{attr[3]}'/>"
        f"<{state} xmlns='http://jabber.org/protocol/chatstates'/>"
        f"<x xmlns='jabber:x:oob'><url>{escape.text(url)}</url></x>"
        f"<reply xmlns='urn:xmpp:reply:0' to='a@b/c' id='{attr[4]}'/>",
        f"id='{attr[0]}' type='{kind}'", namespace,
    )  # fmt: skip
    assert read.id == ids[0]
    assert read.type == ("normal" if kind == "nonsense" else kind)
    assert (read.body, read.subject, read.thread) == (body, subject, thread)
    assert (read.origin_id, read.replace, read.receipt_request) == (ids[1], ids[2], True)
    assert read.marker == Marker("displayed", ids[3])
    assert (read.chat_state, read.oob_url, read.reply) == (state, url, Reply("a@b/c", ids[4]))
    theirs = slixmpp_message(read, namespace)
    assert (theirs["id"], theirs["body"], theirs["subject"] or "", theirs["thread"]) == (
        ids[0],
        body,
        subject,
        thread,
    )
    assert (theirs["origin_id"]["id"], theirs["replace"]["id"]) == (read.origin_id, read.replace)
    assert theirs["displayed"]["id"] == ids[3]
    assert (theirs["chat_state"], theirs["oob"]["url"], theirs["reply"]["id"]) == (
        state,
        url,
        ids[4],
    )
    assert theirs["request_receipt"]


def slixmpp_message(read: InMessage, namespace: str) -> Any:
    element = ET.fromstring(ET.tostring(read.element).replace(namespace.encode(), b"jabber:client"))
    return Message(xml=element)


@settings(max_examples=40, deadline=None)
@given(
    target=ID,
    emoji=st.lists(st.sampled_from(["👍", "❤️", "🦀"]), unique=True),
    by=ID,
    stanza_id=ID,
    reason=TEXT,
)
def test_written_by_slixmpp(target: str, emoji: list[str], by: str, stanza_id: str, reason: str) -> None:
    out = Message(sfrom="a@b/c", sto="d@e", stype="chat")  # type: ignore[no-untyped-call]
    out["reactions"]["id"] = target
    out["reactions"]["values"] = emoji
    out["stanza_id"]["by"] = by
    out["stanza_id"]["id"] = stanza_id
    out["groupchat_invite"]["jid"] = "room@conf"
    out["groupchat_invite"]["reason"] = reason
    out["receipt"] = target
    out["delay"]["stamp"] = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
    out["muc"]["invite"]["to"] = "x@y"
    out["muc"]["invite"]["reason"] = reason
    read = read_message(ET.fromstring(str(out).replace("\r", "&#13;").encode()))
    assert read.reactions is not None
    assert (read.reactions.id, sorted(read.reactions.emoji)) == (target, sorted(emoji))
    assert read.stanza_ids == (StanzaId(by, stanza_id),)
    assert read.direct_invite == DirectInvite("room@conf", reason)
    assert read.invites == (MucInvite("x@y", reason),)
    assert read.received == target
    assert read.delay == Delay(datetime(2026, 11, 21, 5, 0, tzinfo=UTC), "")


@settings(deadline=None)
@given(quote=TEXT, text=TEXT)
def test_a_reply_loses_its_quote(quote: str, text: str) -> None:
    span = f"<body start='0' end='{len(quote)}'/>"
    cut = f"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{span}</fallback>"
    body = f"<body>{escape.text(quote + text)}</body>"
    reply = "<reply xmlns='urn:xmpp:reply:0' to='a@b' id='x'/>"
    assert message(body + cut + reply).body == text
    assert message(body + reply + cut).body == text
    assert message(body + cut).body == quote + text, "a fallback of nothing hides nothing"
    assert message(body + reply + cut.replace("reply:0", "other:0")).body == quote + text


@pytest.mark.parametrize(
    ("inner", "body"),
    [
        ("<body/>", ""),
        ("<body start='5'/>", "> quo"),
        ("<body start='2' end='4'/><body start='0' end='1'/>", " ote\nanswer"),
        ("<body start='-1' end='999999999999'/>", ""),
        ("<body start='9' end='3'/>", "> quote\nanswer"),
        ("", ""),
        ("<subject/>", "> quote\nanswer"),
    ],
)
def test_odd_fallback_ranges(inner: str, body: str) -> None:
    fallback = f"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{inner}</fallback>"
    reply = "<reply xmlns='urn:xmpp:reply:0' to='a@b' id='x'/>"
    assert message(f"<body>&gt; quote\nanswer</body>{fallback}{reply}").body == body


@pytest.mark.parametrize(
    ("quote", "quoted"),
    [("> one\n", "one"), (">one\n>  two\n\n", "one\n two"), ("Rose: one\n", "Rose: one"), ("> > a\n", "> a")],
)
def test_what_a_reply_quotes(quote: str, quoted: str) -> None:
    span = f"<body start='0' end='{len(quote)}'/>"
    fallback = f"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{span}</fallback>"
    reply = "<reply xmlns='urn:xmpp:reply:0' to='a@b' id='x'/>"
    read = message(f"<body>{escape.text(quote)}yes</body>{fallback}{reply}")
    assert (read.quoted, read.body) == (quoted, "yes")
    assert content_of(read, direct=True) == Content("yes", quoted=quoted)
    assert content_of(read) == Content("yes")


def test_the_languages_of_a_body() -> None:
    assert message("<body xml:lang='de'>Hallo</body><body>Hello</body>").body == "Hello"
    assert message("<body>Hello</body><body xml:lang='de'>Hallo</body>").body == "Hello"
    assert message("<body xml:lang='de'>Hallo</body>", "xml:lang='de'").lang == "de"


def test_an_invitation_that_continues_a_chat() -> None:
    read = message(
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='a@b'><continue thread='t'/></invite>"
        "<decline to='c@d'><reason>no</reason></decline></x>"
    )
    assert read.invites == (MucInvite("a@b", "", True, "t"),)
    assert read.decline == MucInvite("c@d", "no")
    assert read.muc_user


def test_hints_encryption_and_retraction() -> None:
    read = message(
        "<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/>"
        "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>"
        "<retract xmlns='urn:xmpp:message-retract:1' id='r'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>"
    )
    assert read.hints == {"no-store", "no-copy"}
    assert read.encrypted
    assert (read.retract, read.fallback_for) == ("r", ("urn:xmpp:message-retract:1",))
    assert message("<body>?OTR:abc</body>").encrypted


@pytest.mark.parametrize("namespace", ["jabber:component:accept", "jabber:client"])
def test_an_error(namespace: str) -> None:
    stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"
    read = message(
        f"<error xmlns='{namespace}' type='wait' by='b'><app xmlns='x'/>"
        f"<resource-constraint xmlns='{stanzas}'/>"
        f"<text xmlns='{stanzas}'>later</text></error>", "type='error'",
    )  # fmt: skip
    assert read.error == InError("wait", "resource-constraint", "later", "b")
    assert read.type == "error"


@pytest.mark.parametrize(
    ("stamp", "when"),
    [
        ("2026-11-21T05:00:00Z", datetime(2026, 11, 21, 5, tzinfo=UTC)),
        ("2026-11-21T06:00:00.5+01:00", datetime(2026, 11, 21, 5, tzinfo=UTC) + timedelta(seconds=0.5)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("", None),
    ],
)
def test_stamps(stamp: str, when: datetime | None) -> None:
    assert message(f"<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>").delay == Delay(when, "")


@settings(max_examples=40, deadline=None)
@given(
    priority=st.integers(-128, 127), status=TEXT, show=st.sampled_from(["away", "chat", "dnd", "xa"]),
    counts=st.tuples(*[st.integers(0, 10**9 - 1)] * 3), password=TEXT,
)  # fmt: skip
def test_a_join_written_by_slixmpp(
    priority: int, status: str, show: str, counts: tuple[int, int, int], password: str
) -> None:
    out = Presence(sfrom="a@b/c", sto="#c@irc.test/nick")
    out["priority"] = priority
    out["status"] = status
    out["show"] = show
    out["muc_join"]["password"] = password
    history = out["muc_join"]["history"]
    history["maxchars"], history["maxstanzas"], history["seconds"] = map(str, counts)
    # slixmpp cannot render its own datetime here
    history["since"] = "2026-11-21T05:00:00Z"
    read = read_presence(ET.fromstring(str(out).encode()))
    assert (read.priority, read.status, read.show, read.type) == (priority, status, show, "available")
    assert read.muc == MucJoin(password or None, *counts, datetime(2026, 11, 21, 5, tzinfo=UTC))


def test_odd_presences() -> None:
    assert presence().muc is None
    assert presence("<x xmlns='http://jabber.org/protocol/muc'/>").muc == MucJoin()
    odd = presence("<show>sleepy</show><priority>--5</priority>", "type='probe' id='p'")
    assert (odd.show, odd.priority, odd.type, odd.id) == ("", 0, "probe", "p")
    join = presence(
        "<x xmlns='http://jabber.org/protocol/muc'><history maxchars='-1' seconds='many'/></x>"
    ).muc
    assert join == MucJoin()


def test_addresses_that_make_no_sense() -> None:
    for attributes in ("from='a b@c'", "from='a@b' to='@'"):
        with pytest.raises(BadJid):
            read_message(ET.fromstring(f"<message xmlns='jabber:client' {attributes}/>"))
    with pytest.raises(BadStanza):
        read_presence(ET.fromstring("<presence xmlns='jabber:client' to='a@b'/>"))
