"""Knows which part of the XMPP side does what the core asks: the implementation of
`bridge.core.ports.Face`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from bridge.api import BackendInfo, OccupantId, SoftwareVersion
from bridge.core.room import Room
from bridge.core.values import RoomMessage
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.direct import DirectMessages
from bridge.xmpp.fence import Fence
from bridge.xmpp.iqs import IqFailed, Iqs
from bridge.xmpp.jids import BadJid
from bridge.xmpp.muc_messages import RoomMessages
from bridge.xmpp.muc_presences import RoomPresences
from bridge.xmpp.puppets import PuppetPresences
from bridge.xmpp.render_room import occupant_jid
from bridge.xmpp.upload import Uploads

__all__ = ["Wire", "XmppFace"]

_VERSION = "jabber:iq:version"


class Wire(Protocol):
    """What is asked of the link."""

    iqs: Iqs

    @property
    def congested(self) -> bool:
        """The server reads more slowly than we write."""

    def write(self, text: str) -> bool:
        """Send stanzas; False, and nothing sent, while the stream is down."""

    async def drain(self) -> None:
        """Return when the server reads again."""


def _now() -> int:
    return time.time_ns() // 1000


class XmppFace:
    """The XMPP side of one gateway domain, as the core sees it.

    `fence` tells when the server has a message, `uploads` puts files where clients find them, `new_id` makes
    stanza ids, `identify` gives an occupant's stable id, `caps` the `<c/>` for a kind of puppet, `now` the
    time in microseconds. Most of what the core asks is the parts' own methods, without a call in between."""

    def __init__(
        self,
        wire: Wire,
        addresses: Addresses,
        info: BackendInfo,
        *,
        fence: Fence,
        uploads: Uploads,
        new_id: Callable[[], str],
        identify: Callable[[Room, OccupantId], str],
        caps: Callable[[str], str],
        now: Callable[[], int] = _now,
    ) -> None:
        self._wire = wire
        self.jid = addresses.jid
        self._presences = presences = RoomPresences(wire.write, addresses, identify, caps)
        self._messages = messages = RoomMessages(wire.write, new_id, identify)
        direct = DirectMessages(wire.write, fence.send, new_id, info, now)
        puppets = PuppetPresences(wire.write, addresses, caps)
        self.drain = wire.drain
        self.upload = uploads.upload
        self.keeps_files = uploads.keeps
        self.caught_up = fence.caught_up
        self.room_left = presences.out
        self.room_refused = presences.refused
        self.nick_refused = presences.nick_refused
        self.occupant_joined = presences.joined
        self.occupant_left = presences.left
        self.occupant_renamed = presences.renamed
        self.occupant_changed = presences.changed
        self.room_message = messages.said
        self.room_subject = messages.subject_changed
        self.room_notice = messages.notice
        self.room_typing = messages.typing
        self.direct_message = direct.message
        self.direct_typing = direct.typing
        self.direct_receipt = direct.receipt
        self.direct_displayed = direct.displayed
        self.message_failed = direct.failed
        self.network_text = direct.network_text
        self.puppet_presence = puppets.presence
        self.subscription = puppets.subscription

    @property
    def congested(self) -> bool:
        """The XMPP server takes less than we have."""
        return self._wire.congested

    def room_entered(self, room: Room, resource: str, history: Sequence[RoomMessage]) -> None:
        """The whole join sequence for one resource, in one write (XEP-0045 §7.2)."""
        pieces = self._presences.entering(room, resource)
        pieces.append(self._messages.history(room, resource, history))
        pieces.append(self._messages.subject(room, (resource,)))
        self._wire.write("".join(pieces))

    def invitation(self, user: str, room: str, by: str, reason: str, resources: Iterable[str]) -> None:
        """A mediated invitation into a room by somebody in it (or by the room itself: no name)."""
        self._messages.invitation(tuple(resources) or (user,), room, occupant_jid(room, by), reason)

    async def ask_version(self, resource: str, puppet: str) -> SoftwareVersion | None:
        """XEP-0092 from a puppet to a client; None: it does not say."""
        try:
            answer = await self._wire.iqs.request(resource, puppet, "get", f"<query xmlns='{_VERSION}'/>")
        except (IqFailed, BadJid):
            return None
        path = f"{{{_VERSION}}}query/{{{_VERSION}}}"
        name, version, os = (answer.findtext(path + part) or "" for part in ("name", "version", "os"))
        return SoftwareVersion(name, version, os) if name else None

    async def ask_ping(self, resource: str, puppet: str) -> bool:
        """XEP-0199 from a puppet to a client. One that does not know pings is there, too."""
        try:
            await self._wire.iqs.request(resource, puppet, "get", "<ping xmlns='urn:xmpp:ping'/>")
        except IqFailed as error:
            return error.condition == "feature-not-implemented"
        except BadJid:
            return False
        return True
