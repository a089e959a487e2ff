"""What a command is, and what it gets to work with."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from bridge.api import Address, BadAddress, Form, NetworkAddress, NetworkId, SoftwareVersion
from bridge.core.gateway import Gateway
from bridge.xmpp.entities import AddressBook
from bridge.xmpp.features import Kind
from bridge.xmpp.prompt import Prompt
from bridge.xmpp.registrar import Registrar
from bridge.xmpp.roomlist import RoomList

__all__ = [
    "Access", "Ask", "Command", "CommandFailed", "Context", "Done", "Services", "Step", "has_networks",
    "network_named",
]  # fmt: skip

EVERYWHERE = frozenset({Kind.GATEWAY, Kind.NETWORK})
GATEWAY = frozenset({Kind.GATEWAY})


class Access(enum.Enum):
    """Who may use a command."""

    ALL = "all"
    REGISTERED = "registered"
    ADMIN = "admin"


class CommandFailed(Exception):
    """A command could not do it. The text is for the user. `again`: with other answers it may do; `field` is
    the one to blame, if one is."""

    def __init__(self, text: str, field: str = "", *, again: bool = False) -> None:
        super().__init__(text)
        self.field = field
        self.again = again or bool(field)


class Done(msgspec.Struct, frozen=True):
    """A command's result, in words."""

    text: str


class Ask(msgspec.Struct, frozen=True):
    """A command wants to know more. `then` gets the judged values of the form, by name (fields that were left
    out are missing); it raises CommandFailed or BackendError.

    `known`: an empty secret means the one that is known. `more`: there will be another question. `brief`: in
    chat, only what is required is asked for.
    """

    form: Form
    then: Callable[[Mapping[str, str]], Awaitable[Done | Ask]]
    known: bool = False
    more: bool = False
    brief: bool = False


Step = Done | Ask


class Services(msgspec.Struct, frozen=True):
    """What commands work with; one for each gateway. `users` gives the bare JIDs of those who have sessions,
    `admins` are bare JIDs."""

    gateway: Gateway
    addresses: AddressBook
    registrar: Registrar
    prompt: Prompt
    room_list: RoomList
    software: SoftwareVersion
    users: Callable[[], Iterable[str]]
    admins: frozenset[str] = frozenset()


class Context(msgspec.Struct, frozen=True):
    """One use of a command. `user` is a bare JID, `resource` the full one; `kind` and `address` say where the
    command was called. `commands` are those that this user has here; `chat`: by chat messages."""

    services: Services
    user: str
    resource: str
    kind: Kind
    address: Address | None = None
    commands: tuple[Command, ...] = ()
    chat: bool = False

    @property
    def network(self) -> NetworkId | None:
        """The network that the command was called on; None on the gateway itself."""
        return self.address.network if self.address is not None else None

    @property
    def admin(self) -> bool:
        """Whether the user is one of the admins."""
        return self.user in self.services.admins


class Command(msgspec.Struct, frozen=True):
    """One command. `node` is its ad-hoc node and its word in chat, `usage` how arguments go on the line.

    `run` begins it: the result, or a first question. Raises CommandFailed, BackendError.
    """

    node: str
    title: str
    help: str
    run: Callable[[Context], Awaitable[Step]]
    usage: str = ""
    access: Access = Access.ALL
    where: frozenset[Kind] = GATEWAY


def has_networks(services: Services) -> bool:
    """Whether users tell networks of this gateway apart by name (else there is but one, `""`)."""
    return services.gateway.info.many_networks


def network_named(services: Services, typed: str, field: str) -> NetworkId:
    """The network that a user means by its name or JID. Raises CommandFailed, naming the field."""
    name = typed.strip().lower().removesuffix("@" + services.addresses.domain)
    try:
        address = services.gateway.backend.parse_address(name)
    except BadAddress as error:
        raise CommandFailed(str(error), field) from error
    if not isinstance(address, NetworkAddress):
        raise CommandFailed(f"“{typed.strip()}” is not the name of a network.", field)
    return address.network
