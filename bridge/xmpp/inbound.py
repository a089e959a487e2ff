"""Knows how a received message or presence element becomes a frozen value, in one pass over its children.

Extensions that few stanzas carry (data forms, privileges) are not read here: `element` has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element

from bridge.xmpp.jids import CACHED, LONGEST_KEPT, bare, prepare, split
from bridge.xmpp.received import (
    Caps,
    Delay,
    DirectInvite,
    InError,
    InMessage,
    InPresence,
    Marker,
    MucInvite,
    MucJoin,
    Reactions,
    Reply,
    StanzaId,
)  # fmt: skip

__all__ = ["BadStanza", "InError", "InMessage", "InPresence", "read_error", "read_message", "read_presence"]

_COMPONENT = "{jabber:component:accept}"
_CLIENT = "{jabber:client}"
_STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
_BODIES = frozenset({_COMPONENT + "body", _CLIENT + "body"})
_ERRORS = frozenset({_COMPONENT + "error", _CLIENT + "error"})
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MUC = "{http://jabber.org/protocol/muc}"
_MUC_USER = "{http://jabber.org/protocol/muc#user}"
_SID = "{urn:xmpp:sid:0}"
_FALLBACK = "{urn:xmpp:fallback:0}"
_REPLY = "urn:xmpp:reply:0"
_NUMBER = re.compile(r"[0-9]{1,9}").fullmatch
_PRIORITY = re.compile(r"\s*([+-]?[0-9]{1,9})\s*").fullmatch


class BadStanza(ValueError):
    """A stanza that cannot be read at all, such as one without `from`."""


Fields = dict[str, Any]
_Reader = Callable[[Element, Fields], None]
_MESSAGE_TYPES = frozenset({"chat", "groupchat", "headline", "error", "normal"})
_BESIDE = frozenset({"lang", "origin_id", "receipt_request", "markable", "chat_state", "hints"})
"""What changes nothing of what a message says."""
_SHOWS = frozenset({"away", "chat", "dnd", "xa"})


def read_message(element: Element) -> InMessage:
    """The value of a `<message/>`. Raises BadStanza without `from`, BadJid for a malformed address."""
    get = element.get
    found: Fields = {}
    body = None
    for child in element:
        tag = child.tag
        if tag in _BODIES:
            if body is None or child.get(_LANG) is None:
                body = child.text or ""
        elif (reader := _MESSAGE.get(tag)) is not None:
            reader(child, found)
    if "fallback_for" in found:
        body = _without_fallback(found, body)
    if body is not None and body[:4] == "?OTR":
        found["encrypted"] = True
    lang = get(_LANG)
    if lang is not None:
        found["lang"] = lang
    kind = get("type", "normal")
    if kind not in _MESSAGE_TYPES:
        kind = "normal"
    sender, user, to, local, domain, resource = _addresses(get("from"), get("to"))
    id_ = get("id", "")
    if not found:
        return InMessage(sender, user, to, local, domain, resource, kind, id_, element, body, True)
    plain = found.keys() <= _BESIDE
    return InMessage(sender, user, to, local, domain, resource, kind, id_, element, body, plain, **found)


def read_presence(element: Element) -> InPresence:
    """The value of a `<presence/>`. Raises BadStanza without `from`, BadJid for a malformed address."""
    found: Fields = {}
    for child in element:
        reader = _PRESENCE.get(child.tag)
        if reader is not None:
            reader(child, found)
    get = element.get
    addresses = _addresses(get("from"), get("to"))
    return InPresence(*addresses, get("type", "available"), get("id", ""), element, **found)


def read_error(stanza: Element) -> InError:
    """Why a stanza of type error came back; an empty condition if it does not say."""
    found: Fields = {}
    for child in stanza:
        if child.tag in _ERRORS:
            _read_error(child, found)
    error = found.get("error")
    return error if isinstance(error, InError) else InError("cancel", "")


def _addresses(sender: str | None, to: str | None) -> tuple[str, str, str, str, str, str]:
    """`sender`, `user`, `to` and its three parts."""
    if len(sender or "") + len(to or "") > 2 * LONGEST_KEPT:
        return _read_addresses(sender, to)
    return _kept_addresses(sender, to)


def _read_addresses(sender: str | None, to: str | None) -> tuple[str, str, str, str, str, str]:
    if not sender:
        raise BadStanza("a stanza without a 'from' address")
    sender = prepare(sender)
    to = prepare(to) if to else ""
    return sender, bare(sender), to, *split(to)


_kept_addresses = lru_cache(CACHED)(_read_addresses)
"""Who writes once to somebody does so again."""


# ---- children of a message: each puts what it found into the fields of InMessage


def _read_subject(child: Element, found: Fields) -> None:
    if "subject" not in found or child.get(_LANG) is None:
        found["subject"] = child.text or ""


def _read_thread(child: Element, found: Fields) -> None:
    found["thread"] = child.text or ""


def _id_into(field: str) -> _Reader:
    def read(child: Element, found: Fields) -> None:
        found[field] = child.get("id", "")

    return read


def _flag_into(field: str) -> _Reader:
    def read(child: Element, found: Fields) -> None:
        found[field] = True

    return read


def _marker(kind: str) -> _Reader:
    def read(child: Element, found: Fields) -> None:
        found["marker"] = Marker(kind, child.get("id", ""))

    return read


def _chat_state(state: str) -> _Reader:
    def read(child: Element, found: Fields) -> None:
        found["chat_state"] = state

    return read


def _hint(name: str) -> _Reader:
    def read(child: Element, found: Fields) -> None:
        found["hints"] = found.get("hints", frozenset()) | {name}

    return read


def _read_stanza_id(child: Element, found: Fields) -> None:
    by, id_ = child.get("by", ""), child.get("id", "")
    if by and id_:
        found["stanza_ids"] = (*found.get("stanza_ids", ()), StanzaId(by, id_))


def _read_reply(child: Element, found: Fields) -> None:
    found["reply"] = Reply(child.get("to", ""), child.get("id", ""))


def _read_reactions(child: Element, found: Fields) -> None:
    emoji = (one.text for one in child.iterfind("{urn:xmpp:reactions:0}reaction"))
    found["reactions"] = Reactions(child.get("id", ""), tuple(dict.fromkeys(text for text in emoji if text)))


def _read_fallback(child: Element, found: Fields) -> None:
    namespace = child.get("for", "")
    found["fallback_for"] = (*found.get("fallback_for", ()), namespace)
    if namespace == _REPLY:
        found["_cut"] = child


def _without_fallback(found: Fields, body: str | None) -> str | None:
    """The body without the quote of the answered message (XEP-0461 §3.2, XEP-0428 §2.2)."""
    fallback = found.pop("_cut", None)
    if fallback is None or body is None or "reply" not in found:
        return body
    ranges = [_range(part, len(body)) for part in fallback.iterfind(_FALLBACK + "body")]
    if not ranges and len(fallback) == 0:
        ranges = [(0, len(body))]
    cut = "".join(body[start:end] for start, end in sorted(ranges))
    found["quoted"] = "\n".join(line.removeprefix(">").removeprefix(" ") for line in cut.strip().split("\n"))
    for start, end in sorted(ranges, reverse=True):
        body = body[:start] + body[end:] if start < end else body
    return body


def _range(part: Element, length: int) -> tuple[int, int]:
    start, end = _count(part.get("start")), _count(part.get("end"))
    return (start or 0, length if end is None else min(end, length))


def _read_oob(child: Element, found: Fields) -> None:
    found["oob_url"] = (child.findtext("{jabber:x:oob}url") or "").strip()


def _read_muc_user(child: Element, found: Fields) -> None:
    found["muc_user"] = True
    invites = tuple(_invite(one, "to") for one in child.iterfind(_MUC_USER + "invite"))
    if invites:
        found["invites"] = invites
    decline = child.find(_MUC_USER + "decline")
    if decline is not None:
        found["decline"] = _invite(decline, "to")


def _invite(element: Element, whom: str) -> MucInvite:
    go_on = element.find(_MUC_USER + "continue")
    return MucInvite(
        element.get(whom, ""),
        element.findtext(_MUC_USER + "reason") or "",
        go_on is not None,
        "" if go_on is None else go_on.get("thread", ""),
    )


def _read_direct_invite(child: Element, found: Fields) -> None:
    get = child.get
    if get("jid"):
        found["direct_invite"] = DirectInvite(
            get("jid", ""), get("reason", ""), get("password", ""),
            get("continue") in ("true", "1"), get("thread", ""),
        )  # fmt: skip


def _read_delay(child: Element, found: Fields) -> None:
    found.setdefault("delay", Delay(_stamp(child.get("stamp")), child.get("from", "")))


def _read_error(child: Element, found: Fields) -> None:
    condition = text = ""
    for part in child:
        if part.tag == _STANZAS + "text":
            text = part.text or ""
        elif part.tag.startswith(_STANZAS):
            condition = part.tag[len(_STANZAS) :]
    found["error"] = InError(child.get("type", "cancel"), condition, text, child.get("by", ""))


# ---- children of a presence


def _read_show(child: Element, found: Fields) -> None:
    show = (child.text or "").strip()
    if show in _SHOWS:
        found["show"] = show


def _read_status(child: Element, found: Fields) -> None:
    if "status" not in found or child.get(_LANG) is None:
        found["status"] = child.text or ""


def _read_priority(child: Element, found: Fields) -> None:
    number = _PRIORITY(child.text or "")
    if number is not None:
        found["priority"] = max(-128, min(127, int(number[1])))


def _read_muc_join(child: Element, found: Fields) -> None:
    history = child.find(_MUC + "history")
    limits = {} if history is None else history.attrib
    found["muc"] = MucJoin(
        child.findtext(_MUC + "password"),
        _count(limits.get("maxchars")),
        _count(limits.get("maxstanzas")),
        _count(limits.get("seconds")),
        _stamp(limits.get("since")),
    )


def _read_caps(child: Element, found: Fields) -> None:
    found["caps"] = Caps(child.get("node", ""), child.get("ver", ""), child.get("hash", ""))


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER(text) else None


def _stamp(text: str | None) -> datetime | None:
    """A XEP-0082 time; None if it is none, since a stamp is no reason to lose the stanza."""
    try:
        stamp = datetime.fromisoformat(text or "")
        return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _both(readers: dict[str, _Reader]) -> dict[str, _Reader]:
    """RFC 6120's own children come in either of the two namespaces that servers use to components."""
    return {namespace + name: read for namespace in (_COMPONENT, _CLIENT) for name, read in readers.items()}


_MARKERS = "{urn:xmpp:chat-markers:0}"
_RECEIPTS = "{urn:xmpp:receipts}"
_STATES = ("active", "composing", "paused", "inactive", "gone")
_HINTS = ("no-store", "no-copy", "no-permanent-store", "store")
_ENCRYPTED = (
    "{urn:xmpp:eme:0}encryption", "{eu.siacs.conversations.axolotl}encrypted", "{urn:xmpp:omemo:1}encrypted",
    "{urn:xmpp:omemo:2}encrypted", "{jabber:x:encrypted}x", "{urn:xmpp:openpgp:0}openpgp",
)  # fmt: skip

_MESSAGE: dict[str, _Reader] = {
    **_both({"subject": _read_subject, "thread": _read_thread, "error": _read_error}),
    _SID + "origin-id": _id_into("origin_id"),
    _SID + "stanza-id": _read_stanza_id,
    "{urn:xmpp:message-correct:0}replace": _id_into("replace"),
    _RECEIPTS + "request": _flag_into("receipt_request"),
    _RECEIPTS + "received": _id_into("received"),
    _MARKERS + "markable": _flag_into("markable"),
    **{_MARKERS + kind: _marker(kind) for kind in ("displayed", "received", "acknowledged")},
    **{"{http://jabber.org/protocol/chatstates}" + state: _chat_state(state) for state in _STATES},
    "{urn:xmpp:reply:0}reply": _read_reply,
    "{urn:xmpp:reactions:0}reactions": _read_reactions,
    "{urn:xmpp:message-retract:1}retract": _id_into("retract"),
    _FALLBACK + "fallback": _read_fallback,
    "{jabber:x:oob}x": _read_oob,
    _MUC_USER + "x": _read_muc_user,
    "{jabber:x:conference}x": _read_direct_invite,
    **{tag: _flag_into("encrypted") for tag in _ENCRYPTED},
    **{"{urn:xmpp:hints}" + name: _hint(name) for name in _HINTS},
    "{urn:xmpp:delay}delay": _read_delay,
}  # fmt: skip

_PRESENCE: dict[str, _Reader] = {
    **_both({"show": _read_show, "status": _read_status, "priority": _read_priority, "error": _read_error}),
    _MUC + "x": _read_muc_join,
    "{http://jabber.org/protocol/caps}c": _read_caps,
}
