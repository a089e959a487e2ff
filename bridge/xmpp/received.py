"""Knows what a received message or presence says, as frozen values; `inbound` makes them from XML."""

from __future__ import annotations

from datetime import datetime
from xml.etree.ElementTree import Element

from msgspec import Struct

__all__ = [
    "Caps", "Delay", "DirectInvite", "InError", "InMessage", "InPresence", "Marker", "MucInvite", "MucJoin",
    "Reactions", "Reply", "StanzaId",
]  # fmt: skip


class InError(Struct, frozen=True):
    """The `<error/>` of a bounced stanza (RFC 6120 §8.3); `condition` is "" where none is known."""

    type: str
    condition: str
    text: str = ""
    by: str = ""


class StanzaId(Struct, frozen=True):
    """An id that an archive gave to this message (XEP-0359); trust it only if `by` is whom you asked."""

    by: str
    id: str


class Marker(Struct, frozen=True):
    """XEP-0333: `kind` is displayed, received or acknowledged; `id` the message that it is about."""

    kind: str
    id: str


class Reply(Struct, frozen=True):
    """XEP-0461: an answer to the message `id`, whose author was `to` ("" if not said)."""

    to: str
    id: str


class Reactions(Struct, frozen=True):
    """XEP-0444: all emoji that the sender now has on the message `id`; empty takes them back."""

    id: str
    emoji: tuple[str, ...]


class Delay(Struct, frozen=True):
    """XEP-0203: when it was sent first (aware, UTC); None if the stamp makes no sense."""

    stamp: datetime | None
    by: str


class MucInvite(Struct, frozen=True):
    """XEP-0045 §7.8.2: `to` is whom the room is to invite (of a decline: whom it answers)."""

    to: str
    reason: str = ""
    continue_: bool = False
    thread: str = ""


class DirectInvite(Struct, frozen=True):
    """XEP-0249: come to the room `jid`."""

    jid: str
    reason: str = ""
    password: str = ""
    continue_: bool = False
    thread: str = ""


class Caps(Struct, frozen=True):
    """XEP-0115: `node#ver` is what to ask disco for."""

    node: str
    ver: str
    hash: str


class MucJoin(Struct, frozen=True):
    """The `<x/>` of a join (XEP-0045 §7.2): the history limits are None where the client set none."""

    password: str | None = None
    maxchars: int | None = None
    maxstanzas: int | None = None
    seconds: int | None = None
    since: datetime | None = None


class InMessage(Struct, frozen=True, gc=False):
    """A message as received. `None` means that the element is absent, `""` that it is empty."""

    sender: str
    """full JID, normalised"""
    user: str
    """its bare JID"""
    to: str
    """normalised; "" if absent"""
    to_local: str
    """escaped still (XEP-0106)"""
    to_domain: str
    to_resource: str
    type: str
    """normal, chat, groupchat, headline or error"""
    id: str
    element: Element
    body: str | None = None
    """without the quote that a reply carries for old clients (XEP-0428)"""
    plain: bool = False
    """there is nothing but the body that says anything: at most ids, states and requests for receipts beside
    it"""
    subject: str | None = None
    thread: str = ""
    lang: str = ""
    origin_id: str = ""
    stanza_ids: tuple[StanzaId, ...] = ()
    replace: str = ""
    """the id of the message that this one corrects (XEP-0308)"""
    receipt_request: bool = False
    received: str = ""
    """the id of the message whose delivery this confirms (XEP-0184)"""
    markable: bool = False
    marker: Marker | None = None
    chat_state: str = ""
    """active, composing, paused, inactive or gone (XEP-0085)"""
    reply: Reply | None = None
    quoted: str = ""
    """the quote that was taken out of the body, without its marks"""
    reactions: Reactions | None = None
    retract: str = ""
    """the id of the message that its author takes back (XEP-0424)"""
    oob_url: str = ""
    invites: tuple[MucInvite, ...] = ()
    decline: MucInvite | None = None
    direct_invite: DirectInvite | None = None
    muc_user: bool = False
    """a private message of a room's occupant (XEP-0045 §7.5), or an invitation"""
    encrypted: bool = False
    """OMEMO, OpenPGP, OTR or XEP-0380: the body is not what was written"""
    hints: frozenset[str] = frozenset()
    """XEP-0334: no-store, no-copy, no-permanent-store, store"""
    fallback_for: tuple[str, ...] = ()
    """namespaces of the extensions that (part of) the body stands in for (XEP-0428)"""
    delay: Delay | None = None
    error: InError | None = None


class InPresence(Struct, frozen=True):
    """A presence as received. `type` is "available" where the attribute is absent."""

    sender: str
    user: str
    to: str
    to_local: str
    to_domain: str
    to_resource: str
    type: str
    id: str
    element: Element
    show: str = ""
    """away, chat, dnd or xa; "" is plainly available"""
    status: str = ""
    priority: int = 0
    muc: MucJoin | None = None
    """there when the sender wants to enter the room `to`"""
    caps: Caps | None = None
    error: InError | None = None
