"""Knows what a message in a room looks like (XEP-0045 §7.4), live, in the history of a join, and in the
archive.

The hot path is `RoomView.live`: whatever is the same for every message of a speaker is rendered once."""

from __future__ import annotations

from bridge.api import OccupantId
from bridge.core.room import Room
from bridge.core.values import RoomMessage
from bridge.xmpp.addresses import resource_of
from bridge.xmpp.escape import attr, text
from bridge.xmpp.render import content, delay, extras, reply, stamp
from bridge.xmpp.render_presence import occupant_id

__all__ = ["RoomView", "occupant_jid", "said_at", "view_of"]

_SPEAKERS = 256
_LATE = 10_000_000  # microseconds after which a message says when it was said


_Speaker = tuple[str, str, str]
"""A message up to its id, the speaker's occupant id, and that as an element."""


class RoomView:
    """What of a room's messages is rendered already. Kept in the room's commons, for all its users."""

    __slots__ = ("_jid", "_sid", "_speakers")

    def __init__(self, jid: str) -> None:
        self._jid = jid
        self._sid = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{attr(jid)}' id='"
        self._speakers: dict[OccupantId, _Speaker] = {}

    def live(self, message: RoomMessage) -> tuple[str, str]:
        """A message's text before and after the place where the recipient's (escaped) JID goes."""
        late = ""
        if message.sent_at and message.archive_id - message.sent_at > _LATE:
            late = delay(message.sent_at, self._jid)
        known = self._speakers.get(message.sender)
        if known is None or known[1] != message.occupant_id:
            known = self._speaker(message)
        return f"{known[0]}{attr(message.stanza_id)}' to='", self._tail(message, known[2], late)

    def historic(self, message: RoomMessage) -> tuple[str, str]:
        """The same with the time of saying, for the history of a join (XEP-0045 §7.2.13)."""
        head, _, who = self._speaker(message)
        dated = delay(said_at(message), self._jid)
        return f"{head}{attr(message.stanza_id)}' to='", self._tail(message, who, dated)

    def archived(self, message: RoomMessage) -> str:
        """The same as a `<forwarded/>` (XEP-0297), as the archive gives it (XEP-0313 §4.2)."""
        head, _, who = self._speaker(message)
        return (
            "<forwarded xmlns='urn:xmpp:forward:0'>"
            f"<delay xmlns='urn:xmpp:delay' stamp='{stamp(said_at(message))}'/>"
            f"<message xmlns='jabber:client'{head.removeprefix('<message')}{attr(message.stanza_id)}"
            f"{self._tail(message, who, '')}</forwarded>"
        )

    def _tail(self, message: RoomMessage, who: str, dated: str) -> str:
        """The end of the start tag, the children, and the end tag."""
        said = message.content
        if said.spans or said.attachments or said.action or said.notice or said.subject:
            children = content(said, marked=True)
        else:
            children = f"<body>{text(said.text)}</body>"
        if message.origin_id or message.reply_to or message.thread or message.replaces or message.foreign_ids:
            children += self._extras(message)
        return f"'>{children}{self._sid}{message.archive_id}'/>{who}{dated}</message>"

    def _extras(self, message: RoomMessage) -> str:
        """What few messages have. A stanza-id that claims to be the room's own is dropped (XEP-0359 §4)."""
        parts = extras(message.thread, message.replaces)
        if message.origin_id:
            parts += f"<origin-id xmlns='urn:xmpp:sid:0' id='{attr(message.origin_id)}'/>"
        if message.reply_to:
            parts += reply(occupant_jid(self._jid, message.reply_name), message.reply_to)
        for by, id_ in message.foreign_ids:
            if by != self._jid:
                parts += f"<stanza-id xmlns='urn:xmpp:sid:0' by='{attr(by)}' id='{attr(id_)}'/>"
        return parts

    def _speaker(self, message: RoomMessage) -> _Speaker:
        """What is the same for all that somebody says."""
        sender, identity = message.sender, message.occupant_id
        known = self._speakers.get(sender)
        if known is None or known[1] != identity:
            if len(self._speakers) >= _SPEAKERS:
                self._speakers.clear()
            head = f"<message type='groupchat' from='{attr(occupant_jid(self._jid, sender))}' id='"
            known = self._speakers[sender] = head, identity, occupant_id(identity)
        return known


def occupant_jid(room: str, name: str) -> str:
    """The JID of somebody in a room; the room's own for an empty name."""
    return f"{room}/{resource_of(name)}" if name else room


def said_at(message: RoomMessage) -> int:
    """When it was said, in microseconds."""
    return message.sent_at or message.archive_id


def view_of(room: Room) -> RoomView:
    """The room's view, made at its first use."""
    commons = room.commons
    view = commons.view
    if type(view) is RoomView:
        return view
    view = commons.view = RoomView(room.jid)
    return view
