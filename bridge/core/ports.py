"""What the core asks of the XMPP side, as a protocol that the face implements.

The methods are synchronous: they render and hand the bytes to the link, whose back-pressure shows in
`congested`. While the link is down they do nothing (what must not be lost waits in the store)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from bridge.api import Address, Attachment, Departure, Occupant, Reason, SoftwareVersion, Typing
from bridge.core.room import Room
from bridge.core.values import DirectMessage, RoomMessage


class Face(Protocol):
    """The XMPP side of one gateway domain."""

    def jid(self, address: Address) -> str:
        """The bare JID of a network, contact or room."""

    @property
    def congested(self) -> bool:
        """The XMPP server takes less than we have."""

    async def drain(self) -> None:
        """Return when it takes more."""

    async def caught_up(self) -> None:
        """Return when the XMPP server has handled all that it was sent so far, or the link is down."""

    # -- rooms: the resources meant are `room.resources`, unless named

    def room_entered(self, room: Room, resource: str, history: Sequence[RoomMessage]) -> None:
        """The whole join sequence for one resource (XEP-0045 §7.2): occupants, self, history, subject."""

    def room_refused(self, room: Room, resource: str, reason: Reason, text: str) -> None:
        """The join failed (XEP-0045 §7.2.5-§7.2.12)."""

    def room_left(
        self, room: Room, resources: Iterable[str], how: Departure, actor: str, text: str, remaining: int = 0
    ) -> None:
        """These resources are out. `room.me` is still the name it had; `remaining` of the user's are still
        in."""

    def occupant_joined(self, room: Room, occupant: Occupant) -> None:
        """Somebody came."""

    def occupant_left(self, room: Room, occupant: Occupant, how: Departure, actor: str, text: str) -> None:
        """Somebody else went."""

    def occupant_renamed(self, room: Room, old: Occupant, new: Occupant) -> None:
        """Somebody (perhaps the account: `new.name == room.me`) is called otherwise now."""

    def occupant_changed(self, room: Room, occupant: Occupant, actor: str) -> None:
        """Rank or away state changed."""

    def room_message(self, room: Room, message: RoomMessage) -> None:
        """Somebody (perhaps the account) said something."""

    def room_subject(self, room: Room) -> None:
        """The subject changed to `room.subject`."""

    def room_notice(self, room: Room, text: str) -> None:
        """The room itself says something."""

    def room_typing(self, room: Room, occupant: Occupant, state: Typing) -> None:
        """Somebody in the room is writing."""

    def nick_refused(self, room: Room, resource: str, nick: str, reason: Reason, text: str) -> None:
        """A change of nick failed (XEP-0045 §7.6)."""

    def invitation(self, user: str, room: str, by: str, reason: str, resources: Iterable[str]) -> None:
        """A mediated invitation into a room (XEP-0045 §7.8.2) by the name `by` (empty: the room itself), to
        these resources, or the bare JID if none."""

    # -- direct chats and the network itself

    def direct_message(self, user: str, contact: str, message: DirectMessage) -> Awaitable[str]:
        """Deliver a contact's message. The awaitable is the fence (docs/fence.md): `fenced`, `weak` (nothing
        speaks against it, and no better proof will come), `lost` (send it again with the same id) or
        `bounced: CONDITION TEXT`."""

    def direct_typing(self, user: str, contact: str, state: Typing) -> None:
        """A contact is writing (XEP-0085)."""

    def direct_receipt(self, user: str, contact: str, stanza_id: str) -> None:
        """A message of the user's was delivered (XEP-0184)."""

    def direct_displayed(self, user: str, contact: str, stanza_id: str) -> None:
        """A contact has seen a message of the user's (XEP-0333)."""

    def message_failed(
        self, resource: str, sender: str, stanza_id: str, reason: Reason, text: str, groupchat: bool = False
    ) -> None:
        """An error for a message that the resource sent to the JID `sender`."""

    def network_text(self, to: str, network: str, text: str) -> None:
        """A line from a network's own JID, to a bare or full JID."""

    # -- presence of puppets

    def puppet_presence(self, to: str, puppet: str, online: bool, away: bool = False, text: str = "") -> None:
        """A puppet's presence towards one JID."""

    def subscription(self, to: str, puppet: str, kind: str, stanza_id: str = "") -> None:
        """`subscribe`, `subscribed`, `unsubscribe`, `unsubscribed` or `probe`, from a puppet."""

    # -- asking a user's client

    async def ask_version(self, resource: str, puppet: str) -> SoftwareVersion | None:
        """XEP-0092 from a puppet to a client."""

    # -- files

    async def upload(self, user: str, file: Path, name: str, media_type: str) -> Attachment:
        """Put a file where a user's clients can fetch it (XEP-0363). Raises `TransferFailed`."""

    def keeps_files(self, url: str) -> bool:
        """Whether the XMPP server keeps users' files there."""

    async def ask_ping(self, resource: str, puppet: str) -> bool:
        """XEP-0199 from a puppet to a client."""
