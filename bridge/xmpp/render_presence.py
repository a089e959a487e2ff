"""Knows what presences of a room look like (XEP-0045 §7, XEP-0421): items, status codes, occupant ids.

Only text from values; who gets it, and when, is decided in `muc_presences`."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.api import Departure, Rank
from bridge.xmpp.errors import Shape, error_xml
from bridge.xmpp.escape import attr, text
from bridge.xmpp.render import jid_attr

__all__ = ["Item", "affiliation", "available", "occupant_id", "refusal", "role", "unavailable"]

_MUC_USER = "http://jabber.org/protocol/muc#user"

# Rank -> (affiliation, role); the way back (a role or affiliation that somebody asks for) is in `muc_admin`.
_STANDING = {
    Rank.NONE: ("none", "participant"),
    Rank.MEMBER: ("member", "participant"),
    Rank.MODERATOR: ("member", "moderator"),
    Rank.ADMIN: ("admin", "moderator"),
    Rank.OWNER: ("owner", "moderator"),
}

DEPARTURE_CODES = {
    Departure.LEFT: (),
    Departure.QUIT: (),
    Departure.KICKED: (307,),
    Departure.BANNED: (301,),
    Departure.DISCONNECTED: (333,),
    Departure.DESTROYED: (),
}
"""Status codes that say why somebody is gone (XEP-0045 §15.6)."""


def affiliation(rank: Rank) -> str:
    """The affiliation that a rank is shown as."""
    return _STANDING[rank][0]


def role(rank: Rank) -> str:
    """The role that a rank is shown as."""
    return _STANDING[rank][1]


class Item:
    """An `<item/>` to be: who somebody is in the room, what happened to them, and by whose hand."""

    __slots__ = ("actor", "affiliation", "jid", "nick", "reason", "role")

    def __init__(self, rank: Rank, jid: str = "", nick: str = "", actor: str = "", reason: str = "") -> None:
        self.affiliation, self.role = _STANDING[rank]
        self.jid = jid
        self.nick = nick
        self.actor = actor
        self.reason = reason

    def gone(self, how: Departure) -> Item:
        """The same for somebody who is out: no role, and an outcast if banned."""
        self.role = "none"
        if how is Departure.BANNED:
            self.affiliation = "outcast"
        return self

    def __str__(self) -> str:
        jid = f" jid='{attr(self.jid)}'" if self.jid else ""
        nick = f" nick='{attr(self.nick)}'" if self.nick else ""
        head = f"<item affiliation='{self.affiliation}' role='{self.role}'{jid}{nick}"
        if not self.actor and not self.reason:
            return head + "/>"
        actor = f"<actor nick='{attr(self.actor)}'/>" if self.actor else ""
        reason = f"<reason>{text(self.reason)}</reason>" if self.reason else ""
        return f"{head}>{actor}{reason}</item>"


def occupant_id(value: str) -> str:
    """`<occupant-id/>` (XEP-0421)."""
    return f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{attr(value)}'/>"


def _muc_user(item: Item, codes: Iterable[int], more: str = "") -> str:
    statuses = "".join([f"<status code='{code}'/>" for code in codes])
    return f"<x xmlns='{_MUC_USER}'>{item}{statuses}{more}</x>"


def available(item: Item, codes: Iterable[int], away: bool, identity: str, caps: str) -> str:
    """What follows `head` and the recipient in a presence. `identity` is the rendered occupant id."""
    show = "<show>away</show>" if away else ""
    return f"'>{show}{_muc_user(item, codes)}{identity}{caps}</presence>"


def unavailable(
    item: Item, codes: Iterable[int], status: str, identity: str, destroyed: str | None = None
) -> str:
    """What follows `head` and the recipient in a last presence. `destroyed`: the room is gone, and why."""
    said = f"<status>{text(status)}</status>" if status else ""
    more = ""
    if destroyed is not None:
        more = f"<destroy><reason>{text(destroyed)}</reason></destroy>" if destroyed else "<destroy/>"
    return f"'>{said}{_muc_user(item, codes, more)}{identity}</presence>"


def head(sender: str, gone: bool = False) -> str:
    """A presence up to the place where the recipient's (escaped) JID goes; ends within `to='`."""
    kind = " type='unavailable'" if gone else ""
    return f"<presence from='{attr(sender)}'{kind} to='"


def refusal(
    sender: str,
    to: str,
    error: Shape,
    said: str,
    stanza_id: str = "",
    *,
    muc: bool = True,
    instead: str = "",
) -> str:
    """A presence that tells that a join or a change of nick failed (XEP-0045 §7.2.5-§7.2.12, §7.6), or that
    anything else did (`muc` is false). `instead` is the URI of the right address."""
    id_ = f" id='{attr(stanza_id)}'" if stanza_id else ""
    mark = "<x xmlns='http://jabber.org/protocol/muc'/>" if muc else ""
    return (
        f"<presence type='error' from='{attr(sender)}' to='{jid_attr(to)}'{id_}>"
        f"{mark}{error_xml(error, said, instead)}</presence>"
    )
