"""Knows which commands a gateway has, and who may use which where."""

from __future__ import annotations

from bridge.api import Address, Refused
from bridge.xmpp.commands.about import ABOUT
from bridge.xmpp.commands.admin import ADMIN
from bridge.xmpp.commands.model import Access, Command, Context, Services
from bridge.xmpp.commands.people import people
from bridge.xmpp.commands.registering import REGISTERING
from bridge.xmpp.commands.registering_users import REGISTERING_USERS
from bridge.xmpp.commands.sessions import SESSIONS
from bridge.xmpp.features import Kind

__all__ = ["Catalogue"]


class Catalogue:
    """The commands of one gateway."""

    def __init__(self, services: Services) -> None:
        self.services = services
        info = services.gateway.info
        own = people(contacts=bool(info.contact_prompt), rooms=info.rooms)
        help_, *rest = ABOUT
        commands = (help_, *REGISTERING, *SESSIONS, *own, *rest, *ADMIN, *REGISTERING_USERS)
        self._commands = {command.node: command for command in commands}

    def refused(self, user: str) -> Refused | None:
        """Why a user (a bare JID) gets no commands at all; None for those whom the gateway is open to, and
        for its admins."""
        return None if user in self.services.admins else self.services.gateway.refusal(user)

    def find(self, node: str, kind: Kind) -> Command | None:
        """The command of that node on an address of that kind, whoever may use it."""
        command = self._commands.get(node)
        return command if command is not None and kind in command.where else None

    async def context(
        self, resource: str, kind: Kind, address: Address | None = None, *, chat: bool = False
    ) -> Context:
        """What a command of this user would work with there; `resource` is the full JID."""
        user = resource.partition("/")[0]
        context = Context(self.services, user, resource, kind, address, (), chat)
        registered = bool(await self.services.gateway.accounts.registrations(user))
        allowed = tuple(
            command
            for command in self._commands.values()
            if kind in command.where and _may(command.access, context.admin, registered)
        )
        return Context(self.services, user, resource, kind, address, allowed, chat)


def _may(access: Access, admin: bool, registered: bool) -> bool:
    if access is Access.ADMIN:
        return admin
    return registered or access is Access.ALL
