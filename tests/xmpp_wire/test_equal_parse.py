"""The fast lane reads any stanza as slixmpp's own stanza classes do: any children, in any order, from and to
any address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from slixmpp import JID, Message, Presence
from slixmpp.plugins.xep_0045 import stanza as muc
from slixmpp.plugins.xep_0115.stanza import Capabilities
from slixmpp.xmlstream import register_stanza_plugin

from bridge.xmpp import escape
from bridge.xmpp.inbound import InMessage, InPresence, read_message, read_presence
from bridge.xmpp.received import Marker, MucInvite, Reply, StanzaId
from tests.xmpp_wire.test_inbound import ID, NAMESPACE, TEXT  # its import registers the plugins of messages

register_stanza_plugin(Presence, muc.MUCJoin)
register_stanza_plugin(Presence, Capabilities)

Same = Callable[[Any, Any], bool]
"""Whether ours and slixmpp's reading agree on one child."""
Child = tuple[str, Same]


def child(xml: str, same: Same) -> Child:
    return xml, same


def texts(name: str) -> st.SearchStrategy[Child]:
    def same(ours: Any, theirs: Any) -> bool:
        # an empty subject is None for slixmpp
        return bool((getattr(ours, name) or "") == (theirs[name] or ""))

    return TEXT.map(lambda text: child(f"<{name}>{escape.text(text)}</{name}>", same))


def marked(pattern: str, same: Same) -> st.SearchStrategy[Child]:
    """A child with one generated id in it."""
    return ID.map(lambda found: child(pattern.format(escape.attr(found)), same))


MESSAGE_CHILDREN = [
    texts("body"), texts("subject"), texts("thread"),
    marked("<origin-id xmlns='urn:xmpp:sid:0' id='{}'/>",
           lambda a, b: a.origin_id == b["origin_id"]["id"]),
    marked("<stanza-id xmlns='urn:xmpp:sid:0' by='room@example.test' id='{}'/>",
           lambda a, b: a.stanza_ids == (StanzaId(str(b["stanza_id"]["by"]), b["stanza_id"]["id"]),)),
    marked("<replace xmlns='urn:xmpp:message-correct:0' id='{}'/>",
           lambda a, b: a.replace == b["replace"]["id"]),
    marked("<received xmlns='urn:xmpp:receipts' id='{}'/>", lambda a, b: a.received == b["receipt"]),
    marked("<displayed xmlns='urn:xmpp:chat-markers:0' id='{}'/>",
           lambda a, b: a.marker == Marker("displayed", b["displayed"]["id"])),
    marked("<reply xmlns='urn:xmpp:reply:0' to='a@b/c' id='{}'/>",
           lambda a, b: a.reply == Reply(str(b["reply"]["to"]), b["reply"]["id"])),
    marked("<reactions xmlns='urn:xmpp:reactions:0' id='{}'><reaction>👍</reaction><reaction>🦀</reaction>"
           "</reactions>",
           lambda a, b: (a.reactions.id, set(a.reactions.emoji))
           == (b["reactions"]["id"], b["reactions"]["values"])),
    TEXT.map(lambda url: child(
        f"<x xmlns='jabber:x:oob'><url>{escape.text(url)}</url></x>",
        lambda a, b: a.oob_url == b["oob"]["url"].strip())),
    TEXT.map(lambda reason: child(
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='x@y'>"
        f"<reason>{escape.text(reason)}</reason></invite></x>",
        lambda a, b: a.invites == (MucInvite(str(b["muc"]["invite"]["to"]), b["muc"]["invite"]["reason"]),))),
    st.just(child("<request xmlns='urn:xmpp:receipts'/>", lambda a, b: a.receipt_request)),
    st.just(child("<unknown xmlns='urn:example:none'><body>not this one</body></unknown>",
                  lambda a, b: a.body is None or a.body == b["body"])),
    st.sampled_from(["active", "composing", "paused", "inactive", "gone"]).map(lambda state: child(
        f"<{state} xmlns='http://jabber.org/protocol/chatstates'/>",
        lambda a, b: a.chat_state == b["chat_state"])),
]  # fmt: skip

PRESENCE_CHILDREN = [
    texts("status"),
    st.sampled_from(["away", "chat", "dnd", "xa"]).map(
        lambda show: child(f"<show>{show}</show>", lambda a, b: a.show == b["show"])
    ),
    st.integers(-128, 127).map(
        lambda n: child(f"<priority>{n}</priority>", lambda a, b: a.priority == b["priority"])
    ),
    TEXT.map(
        lambda word: child(
            f"<x xmlns='http://jabber.org/protocol/muc'><password>{escape.text(word)}</password></x>",
            lambda a, b: a.muc.password == b["muc_join"]["password"],
        )
    ),
    marked(
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:n' ver='{}'/>",
        lambda a, b: (
            (a.caps.node, a.caps.ver, a.caps.hash) == (b["caps"]["node"], b["caps"]["ver"], b["caps"]["hash"])
        ),
    ),
]


def some_of(children: list[st.SearchStrategy[Child]]) -> st.SearchStrategy[list[Child]]:
    """Some kinds of children, each once, in any order."""
    kinds = st.lists(st.sampled_from(range(len(children))), unique=True)
    return kinds.flatmap(lambda found: st.tuples(*[children[kind] for kind in found])).map(list)


LOCAL = st.sampled_from(["romeo", "Romeo", "#c%irc.example", "a\\20b", "straße", "x\\40y%net", "日本"])
DOMAIN = st.sampled_from(["example.test", "EXAMPLE.test", "irc.bücher.example", "127.0.0.1"])
RESOURCE = st.sampled_from(["", "/Phone", "/a b", "/é@/x", "/☃", "/<'&\">"])
FULL = st.builds("{}@{}{}".format, LOCAL, DOMAIN, RESOURCE)
ADDRESS = st.one_of(FULL, DOMAIN, st.builds("{}{}".format, DOMAIN, RESOURCE))


def both(tag: str, namespace: str, attributes: dict[str, str], children: list[Child]) -> tuple[Any, Any]:
    """A stanza as we read it, and as slixmpp does (which knows one namespace at a time)."""
    attrs = "".join(f" {name}='{escape.attr(value)}'" for name, value in attributes.items())
    inner = "".join(xml for xml, _ in children)

    def element(namespace: str) -> ET.Element:
        return ET.fromstring(f"<{tag} xmlns='{namespace}'{attrs}>{inner}</{tag}>".encode())

    read: Any = read_message if tag == "message" else read_presence
    kind: Any = Message if tag == "message" else Presence
    return read(element(namespace)), kind(xml=element("jabber:client"))


def addresses_agree(ours: InMessage | InPresence, theirs: Any) -> bool:
    to: JID = theirs["to"]
    return (ours.sender, ours.user, ours.to, ours.to_local, ours.to_domain, ours.to_resource, ours.id) == (
        theirs["from"].full, theirs["from"].bare, to.full, to.local, to.domain, to.resource, theirs["id"],
    )  # fmt: skip


@settings(deadline=None)
@given(
    NAMESPACE, ADDRESS, ADDRESS, st.one_of(ID, st.just("")),
    st.sampled_from(["", "chat", "groupchat", "normal", "headline"]), some_of(MESSAGE_CHILDREN),
)  # fmt: skip
def test_messages(
    namespace: str, sender: str, to: str, stanza_id: str, kind: str, children: list[Child]
) -> None:
    given = {"from": sender, "to": to, "id": stanza_id, "type": kind}
    attributes = {name: value for name, value in given.items() if value}
    ours, theirs = both("message", namespace, attributes, children)
    assert addresses_agree(ours, theirs)
    assert ours.type == theirs["type"]
    for xml, same in children:
        assert same(ours, theirs), xml


@settings(deadline=None)
@given(
    NAMESPACE, ADDRESS, ADDRESS, ID,
    st.sampled_from(["", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"]),
    some_of(PRESENCE_CHILDREN),
)  # fmt: skip
def test_presences(
    namespace: str, sender: str, to: str, stanza_id: str, kind: str, children: list[Child]
) -> None:
    attributes = {"from": sender, "to": to, "id": stanza_id} | ({"type": kind} if kind else {})
    ours, theirs = both("presence", namespace, attributes, children)
    assert addresses_agree(ours, theirs)
    if kind:
        assert ours.type == theirs["type"] == kind
    else:
        assert ours.type == "available"
        assert theirs["type"] == (ours.show or "available")
    for xml, same in children:
        assert same(ours, theirs), xml
