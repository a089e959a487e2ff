"""The contract between the bridge and an adapter for one kind of network.

An adapter implements `Backend` (one per gateway domain) and `Session` (one per account) and is given a
`Host`. Everything runs on one event loop: nothing here may block it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bridge.api.capabilities import Capabilities, Pace
from bridge.api.commands import Answer, Command, Query, SendMessage
from bridge.api.content import Attachment
from bridge.api.events import Event
from bridge.api.ids import AccountId, Address, Chat, ContactAddress, ContactId, NetworkId
from bridge.api.outcomes import Outcome, Sent
from bridge.api.registration import Form


class BackendInfo(msgspec.Struct, frozen=True):
    """What a backend is, for the core and for service discovery; the same for all users.

    `type` is the gateway type of the XMPP registrar (`irc`, `smtp`, `sms`); `title` is how it is called in
    prose. `category` is `gateway`, or `conference` for networks that are mostly rooms.
    `on_demand`: a session lives while a room or a chat needs it; else it lives while the account is
    registered. `registration_required` is what the admin decided or the network needs. `resend_unknown`: a
    message with an `Unknown` outcome may be sent again (the network drops doubles by `SendMessage.key`).
    `contacts_online`: the network tells nothing of who is there, so contacts are shown online while the
    account is connected.
    `many_networks`: users name the network they mean; else there is one, and its id is `""`.
    `contact_prompt` is the question of jabber:iq:gateway (XEP-0100 §6.3): what to type to add a
    contact or a room.
    """

    name: str
    type: str
    title: str
    description: str
    category: str = "gateway"
    rooms: bool = False
    on_demand: bool = False
    many_networks: bool = False
    registration_required: bool = False
    resend_unknown: bool = False
    contacts_online: bool = False
    contact_prompt: str = ""
    pace: Pace = Pace()
    room_features: Capabilities = Capabilities()
    contact_features: Capabilities = Capabilities()


class Account(msgspec.Struct, frozen=True):
    """One user on one network. `user` is the bare JID, for display only. `settings` and `secrets` are what
    was registered (field name -> value), empty where the user never registered; `nick` is a name to fall back
    on."""

    id: AccountId
    user: str
    network: NetworkId
    settings: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    nick: str = ""

    def __repr__(self) -> str:
        return f"Account({self.id!r})"


class Endpoint(msgspec.Struct, frozen=True):
    """An address that may be connected to: `host` is an IP address literal, `name` what was asked for."""

    host: str
    port: int
    name: str


class SoftwareVersion(msgspec.Struct, frozen=True):
    """What a client says of itself (XEP-0092)."""

    name: str
    version: str = ""
    os: str = ""


class Resolver(Protocol):
    """Says which addresses a gateway may connect to."""

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """The addresses of a host that this gateway may connect to, in order of preference.

        Every outbound connection goes to one of these: private networks are refused unless the admin allows
        them. Raises `ConnectionLost` (with `NO_SUCH_NETWORK` for a name that does not exist).
        """


class Host(Resolver, Protocol):
    """What a session may ask of the bridge. All of it is safe to call from the session's own tasks only."""

    @property
    def account(self) -> Account:
        """Whose session it is."""

    def emit(self, event: Event, *, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        """Tell the bridge what happened. Never blocks, keeps order, and raises nothing for the event's sake.

        The awaitable completes once the event is stored (at once for kinds that are not kept). A backend that
        owes its network an acknowledgement awaits it before it acknowledges; others may ignore it. `cursor`
        is (name, value), saved in the same transaction: the place in the network's history to go on from. It
        raises `ConnectionLost` where the event cannot be kept now: the network must not be told that it is.
        """

    @property
    def congested(self) -> bool:
        """The bridge has more than it can pass on: stop reading from the network, then `await drain()`."""

    async def drain(self) -> None:
        """Return when there is room again (at once, if there is)."""

    async def cursor(self, name: str) -> str | None:
        """The value last saved under this name for this account. Raises `ConnectionLost` while the database
        is out."""

    async def save(self, name: str, value: str) -> None:
        """Keep a value for `cursor` to find, without an event; returns when it is stored. Raises
        `ConnectionLost` while the database is out."""

    async def upload(self, file: Path, name: str, media_type: str) -> Attachment:
        """Put a file where the user's clients can fetch it (XEP-0363), to be part of a message's content.

        Raises `TransferFailed`."""

    async def download(self, attachment: Attachment, file: Path, limit: int) -> Attachment:
        """Fetch what a user attached into a file (made new), of `limit` bytes at the most; returns the
        attachment with its name, media type and size. Raises `TransferFailed`."""

    async def user_version(self, asker: ContactId) -> SoftwareVersion | None:
        """Ask one of the user's clients what it is, on behalf of a contact; None: it does not say."""

    async def user_ping(self, asker: ContactId) -> bool:
        """Whether one of the user's clients answers."""


class Session(Protocol):
    """One account's link to its network. Made by `Backend.open`; used once: after `run` ends, another is
    made."""

    async def run(self) -> None:
        """Connect, emit `Connected`, then work until the link ends.

        Called once. Return when `close` asked for it, or the user ended it in the network's own way (no other
        is opened then until the user wants one). Raise `AuthFailed` to wait for the user,
        `ConnectionLost`/`ProtocolError` to be opened again after a back-off. May be cancelled at any await.
        """

    async def execute(self, command: Command) -> Outcome:
        """Do what the user asked. Called only after `Connected`, one command at a time per chat, in order; so
        it may wait (for the network's pace, for an answer), and holds up only that chat. What may take the
        network long (`KickOccupant`, `SetRank`, `InviteContact`) is asked beside the others. A broken link
        during it is `Unknown`, or `Later` where it is certain that nothing was sent; it raises only for
        bugs."""

    async def query(self, query: Query) -> Answer:
        """Ask the network something on the user's behalf. Called only after `Connected`, many at a time; the
        core gives up after 30 s. Raises `QueryFailed`."""

    def capabilities(self, chat: Chat) -> Capabilities:
        """What that chat can carry now. Cheap: called for every message."""

    async def close(self, reason: str) -> None:
        """Leave in good order (`reason` may be shown to others), so that `run` returns within 2 s. Called at
        most once; the core cancels `run` after that time."""


class PromptSession(Session, Protocol):
    """A session that can often answer without waiting. No session need be one: it saves time where a network
    is fast and its users talk much."""

    def at_once(self, command: SendMessage) -> Sent | None:
        """What `execute` would do and answer, done now, where there is nothing to wait for. None: nothing was
        done, and the same command comes by `execute`. Called under the same conditions; it raises only for
        bugs."""


class Backend(Protocol):
    """One kind of network on one gateway domain. Holds no user's state."""

    @property
    def info(self) -> BackendInfo:
        """What it is. Constant."""

    def parse_address(self, local: str) -> Address:
        """What a JID's local part stands for. Pure and cheap. `local` is unescaped (XEP-0106) and
        lower-cased. Raises `BadAddress` with a text for the user."""

    def format_address(self, address: Address) -> str:
        """The local part (unescaped) for an address; the inverse of `parse_address`."""

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        """The contact or room that a user means who typed this into the gateway's prompt. `settings` are what
        the user has registered with the gateway, `{}` for one who has not. Raises `BadAddress`."""

    def display_name(self, address: Address) -> str:
        """How to call it in rosters and service discovery."""

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        """The form to register with a network (`""`: with the gateway), filled in with what is known."""

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        """Judge what a user gave, and try it where that can be done; return the values to keep (normalised).
        Raises `RegistrationRefused`. May take up to 60 s."""

    def open(self, account: Account, host: Host) -> Session:
        """A session for an account. Makes no connection yet."""


class NormalisingBackend(Backend, Protocol):
    """A backend where users may write addresses in a way of their own (a telephone number without its
    country). No backend need be one."""

    def normalise(self, address: ContactAddress, settings: Mapping[str, str]) -> ContactAddress:
        """The contact that a user means who wrote this address; its own is the same for everybody, and is
        returned as it is. `settings` are what the user has registered, `{}` for one who has not.

        Called wherever a user addresses a contact, for every message: pure and cheap. Messages go to the
        contact that it returns, and answers come from there; who wants to have another address in their
        roster is told the right one (RFC 6120 §8.3.3.5). Raises `BadAddress` with a text for the user."""


class GatewayHost(Resolver, Protocol):
    """What a backend that is reached from outside (that listens, or has one connection for all its users) may
    ask of the bridge."""

    async def holder(self, claim: str) -> Host | None:
        """The host of the account that holds a claim, whether or not its session is connected; None: nobody
        does. Its `emit` may be called from any of the backend's tasks. It comes from memory nearly always, so
        ask for each message rather than keep it: the claim may be another's by the next one. Raises
        `ConnectionLost` while the database is out, `AuthFailed` where what was registered cannot be read any
        more."""

    async def enrol(
        self,
        user: str,
        network: NetworkId,
        settings: Mapping[str, str],
        claims: Sequence[str] | None = None,
    ) -> None:
        """See to it that a user is registered whom the admin's own configuration names (by a bare JID), with
        these settings; others that are registered stay as they are, and so do secrets, of which none can be
        given here. What the form has no `admin` field for, the user's next registration may replace. The
        account then holds `claims` (None: what `ServingBackend.claims` says of all its
        settings), and whoever else had one of them has lost it.

        It is the admin's word: nothing is tried, the user need never have been here, nor be one who may
        register. Who was not registered is asked to have the gateway in the roster. Saying it again changes
        nothing, so say it at each start. Raises `ConnectionLost` while the database is out, `ValueError` for
        what is no bare JID and for a secret."""


class ServingBackend(Backend, Protocol):
    """A backend that is reached from outside. No backend need be one."""

    def claims(self, network: NetworkId, settings: Mapping[str, str]) -> tuple[str, ...]:
        """The names that a registration with these settings holds alone on this gateway (an address, a
        number). A registration whose claim another account holds is refused. Pure and cheap."""

    async def serve(self, host: GatewayHost) -> None:
        """Listen, for as long as the gateway runs; ended by cancelling. Raises `ConnectionLost` where that
        cannot be done now (a port that is taken): it is told in the log, and tried again."""


class BackendFactory(Protocol):
    """What an entry point of the group `bridge.backends` names: a module or object with these two."""

    Options: type[Any]
    """A `msgspec.Struct` with the backend's own options (`[gateway."...".options]` in the config); every
    field has a default or is required, and the docstring is shown by `xmpp-bridge check`."""

    def create(self, options: Any) -> Backend:
        """The backend for one gateway domain. Raises `ValueError` with a text that names the option
        (`relay.port: expected ...`), a line for each where several are wrong."""
