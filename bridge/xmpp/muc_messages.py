"""Knows which messages a room sends to whom: what is said, history, subject, notices, typing, invitations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bridge.api import Occupant, OccupantId, Recent, Typing
from bridge.core.room import Room
from bridge.core.values import RoomMessage
from bridge.xmpp import escape
from bridge.xmpp.escape import attr
from bridge.xmpp.render import NO_STORE, chat_state, jid_attr
from bridge.xmpp.render_presence import occupant_id
from bridge.xmpp.render_room import RoomView, occupant_jid, view_of

__all__ = ["RoomMessages", "invitation_xml"]


class RoomMessages:
    """The messages of all rooms of one gateway. `new_id` makes stanza ids, `identify` gives an occupant's
    stable id by room and name, `write` takes finished text."""

    def __init__(
        self,
        write: Callable[[str], object],
        new_id: Callable[[], str],
        identify: Callable[[Room, OccupantId], str],
    ) -> None:
        self._write = write
        self._new_id = new_id
        self._identify = identify
        self._rendered: Recent[int, tuple[str, str]] = Recent()

    def said(self, room: Room, message: RoomMessage) -> None:
        """Somebody said something: one write for all resources."""
        resources = room.resources
        if not resources:
            return
        commons = room.commons
        if commons.shared:
            before, after = self._shared(room, message)
        else:
            view = commons.view
            before, after = (view if type(view) is RoomView else view_of(room)).live(message)
        if len(resources) == 1:
            (resource,) = resources
            self._write(f"{before}{jid_attr(resource)}{after}")
        else:
            self._write(_to_each(resources, before, after))

    def _shared(self, room: Room, message: RoomMessage) -> tuple[str, str]:
        """The text of a message that many users are told: rendered for the first of them."""
        found = self._rendered.get(message.archive_id)
        if found is None:
            found = view_of(room).live(message)
            self._rendered.put(message.archive_id, found)
        return found

    def history(self, room: Room, resource: str, messages: Sequence[RoomMessage]) -> str:
        """What was said before, for one resource that enters (XEP-0045 §7.2.13)."""
        to, view = jid_attr(resource), view_of(room)
        return "".join([to.join(view.historic(message)) for message in messages])

    def subject(self, room: Room, resources: Iterable[str]) -> str:
        """The subject as it is, from who set it if that is known (XEP-0045 §7.2.15, §8.1)."""
        sender = attr(occupant_jid(room.jid, room.subject_by))
        by = OccupantId(room.subject_by)
        identity = occupant_id(self._identify(room, by)) if by in room.occupants else ""
        before = f"<message type='groupchat' from='{sender}' id='{self._new_id()}' to='"
        after = f"'><subject>{escape.text(room.subject)}</subject>{identity}</message>"
        return "".join([f"{before}{jid_attr(resource)}{after}" for resource in resources])

    def subject_changed(self, room: Room) -> None:
        """The subject is another one."""
        self._send(self.subject(room, room.resources))

    def notice(self, room: Room, text: str) -> None:
        """The room itself says something."""
        before = f"<message type='groupchat' from='{attr(room.jid)}' id='{self._new_id()}' to='"
        after = f"'><body>{escape.text(text)}</body></message>"
        self._send("".join([f"{before}{jid_attr(resource)}{after}" for resource in room.resources]))

    def typing(self, room: Room, occupant: Occupant, state: Typing) -> None:
        """Somebody is writing (XEP-0085 §5.5)."""
        sender = attr(occupant_jid(room.jid, occupant.name))
        before = f"<message type='groupchat' from='{sender}' to='"
        after = f"'>{chat_state(state)}{occupant_id(self._identify(room, occupant.name))}{NO_STORE}</message>"
        self._send("".join([f"{before}{jid_attr(resource)}{after}" for resource in room.resources]))

    def invitation(self, to: Iterable[str], room: str, by: str, reason: str) -> None:
        """`by`, a JID, asks these into the room (XEP-0045 §7.8.2)."""
        self._send("".join([invitation_xml(one, room, by, reason, self._new_id()) for one in to]))

    def _send(self, text: str) -> None:
        if text:
            self._write(text)


def _to_each(resources: Iterable[str], before: str, after: str) -> str:
    """A stanza for each of them."""
    return "".join([f"{before}{jid_attr(resource)}{after}" for resource in resources])


def invitation_xml(to: str, room: str, by: str, reason: str, stanza_id: str) -> str:
    """An invitation in both forms: mediated (XEP-0045 §7.8.2), and direct (XEP-0249) for what only knows
    that."""
    why = f"<reason>{escape.text(reason)}</reason>" if reason else ""
    also = f" reason='{attr(reason)}'" if reason else ""
    return (
        f"<message from='{attr(room)}' to='{attr(to)}' id='{attr(stanza_id)}'>"
        f"<x xmlns='http://jabber.org/protocol/muc#user'><invite from='{attr(by)}'>{why}</invite></x>"
        f"<x xmlns='jabber:x:conference' jid='{attr(room)}'{also}/></message>"
    )
