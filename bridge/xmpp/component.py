"""Knows how the parts of the XMPP side hang together: one gateway, one link, and all that speaks over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.api import Support
from bridge.core.gateway import Gateway
from bridge.core.ground import StanzaIds
from bridge.core.tasks import Tasks
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.face import Wire, XmppFace
from bridge.xmpp.fence import Fence
from bridge.xmpp.iqs import Iqs
from bridge.xmpp.mam import RoomArchives
from bridge.xmpp.messages import Messages
from bridge.xmpp.muc_admin import RoomAdmin
from bridge.xmpp.muc_invites import Invites
from bridge.xmpp.muc_owner import RoomOwner
from bridge.xmpp.muc_ping import RoomPings
from bridge.xmpp.muc_talk import RoomTalk
from bridge.xmpp.presences import Presences
from bridge.xmpp.received import InMessage, InPresence
from bridge.xmpp.reconnect import LinkProblem
from bridge.xmpp.server import Server
from bridge.xmpp.upload import Uploads

__all__ = ["Component", "IqPart", "Link"]


class IqPart(Protocol):
    """Something that answers iq requests."""

    def register(self, iqs: Iqs) -> None:
        """Say which requests it takes."""


class Link(Wire, Protocol):
    """What is asked of a `ComponentLink`."""

    on_message: Callable[[InMessage], None]
    on_presence: Callable[[InPresence], None]
    on_up: Callable[[], None]
    on_down: Callable[[LinkProblem], None]


class Component:
    """One gateway domain on one link. Make it before `gateway.start()` and before the link runs.

    `caps` gives the whole `<c/>` for a kind of puppet (`Caps.element`); `commands` takes messages to the
    gateway itself; `software` is what the server is ("auto": it is asked). What else answers iq requests is
    added by `answer`; pings to rooms and to those in them are `pings`, for whoever answers XEP-0199."""

    def __init__(
        self,
        gateway: Gateway,
        link: Link,
        fence: Fence,
        *,
        addresses: Addresses,
        caps: Callable[[str], str],
        commands: Callable[[InMessage], None],
        software: str = "auto",
    ) -> None:
        self._gateway = gateway
        self._link = link
        self._fence = fence
        self._tasks = Tasks()
        new_id = StanzaIds()
        self._uploads = Uploads(link, fence.server, gateway.domain)
        self.addresses = addresses
        self.pings = RoomPings(gateway, addresses)
        self.face = XmppFace(
            link,
            addresses,
            gateway.info,
            fence=fence,
            uploads=self._uploads,
            new_id=new_id,
            identify=gateway.rooms.occupant_id,
            caps=caps,
        )
        gateway.face = self.face
        self._listen(commands, new_id)
        self._server = Server(link, fence, gateway.domain, software)
        link.on_up = self._up
        link.on_down = self._down
        if gateway.info.rooms:
            self.answer(
                RoomAdmin(gateway, addresses),
                RoomOwner(gateway, addresses),
                RoomArchives(gateway, addresses, link.write, new_id),
            )

    def _listen(self, commands: Callable[[InMessage], None], new_id: Callable[[], str]) -> None:
        """Take the messages and presences of the link."""
        gateway, link, addresses = self._gateway, self._link, self.addresses
        talk = RoomTalk(gateway, addresses, link.write, new_id)
        invites = Invites(gateway, addresses, link.write, new_id, talk, self._tasks)
        messages = Messages(
            gateway,
            addresses,
            link.write,
            bounced=self._fence.bounced,
            commands=commands,
            talk=talk,
            invites=invites,
        )
        link.on_message = messages.take
        link.on_presence = Presences(gateway, addresses, link.write).take

    def answer(self, *parts: IqPart) -> None:
        """Let these answer iq requests, too."""
        for part in parts:
            part.register(self._link.iqs)

    async def stop(self) -> None:
        """End what is under way here. The gateway and the link are stopped by whoever started them."""
        await self._tasks.stop()

    def _up(self) -> None:
        self._tasks.start(self._server.learn(), "the server's name")
        if self._gateway.info.contact_features.attachment is Support.NATIVE:
            self._tasks.start(self._uploads.learn(), "the place for files")
        self._gateway.link_up()

    def _down(self, problem: LinkProblem) -> None:
        self._fence.lost()
        self._gateway.link_down(problem.text)
