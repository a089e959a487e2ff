"""Knows how the gateway's reasons and stanza errors correspond (RFC 6120 §8.3.3), in one table and its
reverse.

The legacy codes of XEP-0086 go along, because clients still tell the failures of a join by them (XEP-0045
§7.2)."""

from __future__ import annotations

from typing import NamedTuple

from bridge.api import Reason
from bridge.xmpp import escape
from bridge.xmpp.iqs import ErrorType

__all__ = ["FATAL", "Shape", "error_xml", "join_shape", "message_error", "reason_of", "shape"]

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


class Shape(NamedTuple):
    """What a stanza error looks like: its type, its condition, and its legacy code."""

    type: ErrorType
    condition: str
    code: int


_SHAPES = {
    Reason.BAD_REQUEST: Shape("modify", "bad-request", 400),
    Reason.CONFLICT: Shape("cancel", "conflict", 409),
    Reason.FORBIDDEN: Shape("auth", "forbidden", 403),
    Reason.GONE: Shape("cancel", "gone", 302),
    Reason.INTERNAL: Shape("cancel", "internal-server-error", 500),
    Reason.NOT_AUTHORIZED: Shape("auth", "not-authorized", 401),
    Reason.NOT_FOUND: Shape("cancel", "item-not-found", 404),
    Reason.NOT_IN_ROOM: Shape("modify", "not-acceptable", 406),
    Reason.NETWORK_DOWN: Shape("wait", "remote-server-timeout", 504),
    Reason.NO_SUCH_NETWORK: Shape("cancel", "remote-server-not-found", 404),
    Reason.OFFLINE: Shape("wait", "recipient-unavailable", 404),
    Reason.RATE_LIMITED: Shape("wait", "resource-constraint", 500),
    Reason.REGISTRATION_REQUIRED: Shape("auth", "registration-required", 407),
    Reason.ROOM_FULL: Shape("wait", "service-unavailable", 503),
    Reason.STORE_DOWN: Shape("wait", "resource-constraint", 500),
    Reason.INVITE_ONLY: Shape("auth", "registration-required", 407),
    Reason.BANNED: Shape("auth", "forbidden", 403),
    Reason.TIMEOUT: Shape("wait", "remote-server-timeout", 504),
    Reason.TOO_LONG: Shape("modify", "policy-violation", 406),
    Reason.UNSUPPORTED: Shape("cancel", "feature-not-implemented", 501),
}

# A room whose network cannot be reached is, for somebody who wants in, a room that is not there: clients stop
# trying at item-not-found, and wait for ever at remote-server-timeout.
_JOIN_SHAPES = {
    Reason.NETWORK_DOWN: Shape("cancel", "item-not-found", 404),
    Reason.NO_SUCH_NETWORK: Shape("cancel", "item-not-found", 404),
}

_REASONS = {
    "bad-request": Reason.BAD_REQUEST,
    "conflict": Reason.CONFLICT,
    "feature-not-implemented": Reason.UNSUPPORTED,
    "forbidden": Reason.FORBIDDEN,
    "gone": Reason.GONE,
    "internal-server-error": Reason.INTERNAL,
    "item-not-found": Reason.NOT_FOUND,
    "jid-malformed": Reason.BAD_REQUEST,
    "not-acceptable": Reason.NOT_IN_ROOM,
    "not-allowed": Reason.FORBIDDEN,
    "not-authorized": Reason.NOT_AUTHORIZED,
    "payment-required": Reason.FORBIDDEN,
    "policy-violation": Reason.TOO_LONG,
    "recipient-unavailable": Reason.OFFLINE,
    "redirect": Reason.GONE,
    "registration-required": Reason.REGISTRATION_REQUIRED,
    "remote-server-not-found": Reason.NO_SUCH_NETWORK,
    "remote-server-timeout": Reason.TIMEOUT,
    "resource-constraint": Reason.RATE_LIMITED,
    "service-unavailable": Reason.OFFLINE,
    "subscription-required": Reason.FORBIDDEN,
    "undefined-condition": Reason.INTERNAL,
    "unexpected-request": Reason.BAD_REQUEST,
}

FATAL = frozenset(
    {
        "gone",
        "internal-server-error",
        "item-not-found",
        "jid-malformed",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
        "service-unavailable",
    }
)
"""Conditions of a bounce that mean that the client is gone from the room (XEP-0045 §18.1.1, ghost users)."""


def shape(reason: Reason) -> Shape:
    """What the error for `reason` looks like in a message or an iq."""
    return _SHAPES[reason]


def join_shape(reason: Reason) -> Shape:
    """What the error for `reason` looks like in a presence that refuses a join (XEP-0045 §7.2)."""
    return _JOIN_SHAPES.get(reason) or _SHAPES[reason]


def reason_of(condition: str) -> Reason:
    """The reason behind a bounce's condition; `INTERNAL` for one that RFC 6120 does not have."""
    return _REASONS.get(condition, Reason.INTERNAL)


def error_xml(what: Reason | Shape, text: str = "", instead: str = "") -> str:
    """An `<error/>` element, with the text for the user if there is one. `instead` is where to go to, as a
    URI (RFC 6120 §8.3.3.5)."""
    kind, condition, code = _SHAPES[what] if isinstance(what, Reason) else what
    if instead:
        where = f"<{condition} xmlns='{STANZAS}'>{escape.text(instead)}</{condition}>"
    else:
        where = f"<{condition} xmlns='{STANZAS}'/>"
    said = f"<text xmlns='{STANZAS}' xml:lang='en'>{escape.text(text)}</text>" if text else ""
    return f"<error type='{kind}' code='{code}'>{where}{said}</error>"


def message_error(sender: str, to: str, stanza_id: str, what: Reason | Shape, text: str = "") -> str:
    """A whole error message from the JID that could not be written to; `stanza_id` is the failed
    message's."""
    id_ = f" id='{escape.attr(stanza_id)}'" if stanza_id else ""
    addresses = f"from='{escape.attr(sender)}' to='{escape.attr(to)}'"
    return f"<message type='error' {addresses}{id_}>{error_xml(what, text)}</message>"
