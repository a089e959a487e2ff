"""How a command ended, and how a session breaks.

Outcomes are values: the network was there and said yes, not now, or no. Exceptions are for a broken session
and for bugs; the core's supervisor takes them.

    BackendError
    ├── AuthFailed        the network does not take the credentials: the user must act, no retry
    ├── ConnectionLost    the link is gone or could not be made: retried with back-off
    ├── ProtocolError     the network said something that cannot be gone on from: retried with back-off
    ├── QueryFailed       a `Session.query` got no answer (with a `Reason`)
    ├── RegistrationRefused  what a user gave at registration does not work (names the field)
    └── TransferFailed    a file could not be uploaded or fetched
"""

from __future__ import annotations

import enum

import msgspec

from bridge.api.content import Content
from bridge.api.ids import MessageId


class Reason(enum.Enum):
    """Why something was refused, in the gateway's words. One table in the XMPP face maps them to stanza
    errors."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INTERNAL = "internal"
    NOT_AUTHORIZED = "not-authorized"
    NOT_FOUND = "not-found"
    NOT_IN_ROOM = "not-in-room"
    NETWORK_DOWN = "network-down"
    NO_SUCH_NETWORK = "no-such-network"
    OFFLINE = "offline"
    RATE_LIMITED = "rate-limited"
    REGISTRATION_REQUIRED = "registration-required"
    ROOM_FULL = "room-full"
    STORE_DOWN = "store-down"
    INVITE_ONLY = "invite-only"
    BANNED = "banned"
    TIMEOUT = "timeout"
    TOO_LONG = "too-long"
    UNSUPPORTED = "unsupported"


class SentPart(msgspec.Struct, frozen=True):
    """One message as the network got it, where it is not exactly what was asked for (a long text in
    parts)."""

    id: MessageId
    content: Content


class Sent(msgspec.Struct, frozen=True, tag=True):
    """Handed to the network. `parts` are empty where the message went out whole and has no id there.

    Several parts with ids are reported on one by one (`Delivered`, `DeliveryFailed`) and make one message: it
    has arrived when all of them have. A part without an id is not waited for; one id for all is one part."""

    parts: tuple[SentPart, ...] = ()


class Later(msgspec.Struct, frozen=True, tag=True):
    """Not now: try again after so many seconds. It is certain that nothing was sent."""

    after: float
    why: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    """No, for good. `text` is for the user to read. It is certain that nothing was sent."""

    reason: Reason
    text: str


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """It may or may not have been sent (the link broke in the middle)."""

    why: str


Outcome = Sent | Later | Refused | Unknown


class BackendError(Exception):
    """Base of what a session may raise. The text is for the user to read."""


class AuthFailed(BackendError):
    """The network does not take these credentials."""


class ConnectionLost(BackendError):
    """The link is gone or could not be made. `reason` tells a name that does not exist from a refused
    port."""

    def __init__(self, text: str, reason: Reason = Reason.NETWORK_DOWN) -> None:
        super().__init__(text)
        self.reason = reason


class ProtocolError(BackendError):
    """The network said something that cannot be gone on from."""


class QueryFailed(BackendError):
    """A query got no answer."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class RegistrationRefused(BackendError):
    """What a user gave at registration cannot be taken. `field` names the form field, if one is to blame."""

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class TransferFailed(BackendError):
    """A file could not be uploaded or fetched. `again`: it may work later; else it never will."""

    def __init__(self, text: str, *, again: bool) -> None:
        super().__init__(text)
        self.again = again


class BadAddress(BackendError):
    """A local part that stands for nothing on this gateway."""
