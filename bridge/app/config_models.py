"""The tables of the configuration, as frozen values with their defaults."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bridge.app.config_expect import secrets_in

Port = Annotated[int, Meta(ge=1, le=65535)]
Name = Annotated[str, Meta(min_length=1)]
Amount = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=1)]
UserPattern = Annotated[
    str,
    Meta(
        pattern=r"^[^@/\s]*@?[^@/\s]+$",
        description='a JID with "*" for any text, like "*@example.com" or "example.com"',
    ),
]


class Secret(msgspec.Struct, frozen=True):
    """A text that is not to be seen. Only `reveal` shows it."""

    _value: str

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"


class XmppSettings(msgspec.Struct, frozen=True):
    """`[xmpp]`: the XMPP server's component port (XEP-0114). `ca_file`: who signs for `tls`.

    `domain` is what the server itself serves (we ping it); empty: a gateway's domain without its first label.
    A server that sends nothing for `ping_after` seconds is pinged; one that has not answered `ping_timeout`
    seconds later counts as gone. `software` tells ejabberd, which needs other proof that it has a message;
    "auto": it is asked.
    """

    host: Name = "127.0.0.1"
    port: Port = 5347
    tls: bool = False
    ca_file: str = ""
    domain: str = ""
    ping_after: Seconds = 60.0
    ping_timeout: Seconds = 60.0
    software: Literal["auto", "ejabberd", "other"] = "auto"


class LogSettings(msgspec.Struct, frozen=True):
    """`[log]`. `auto`: text on a terminal, JSON otherwise."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class ArchiveSettings(msgspec.Struct, frozen=True):
    """`[archive]`: the rooms' message archive (XEP-0313). `days` that messages are kept, 0: for ever."""

    enabled: bool = True
    days: Annotated[int, Meta(ge=0)] = 90


class LimitSettings(msgspec.Struct, frozen=True):
    """`[limits]`: what one user may use of a gateway.

    `waiting_per_chat` messages may wait for a slow network; `connects_at_once` sessions of a gateway may be
    connecting. An address that a user gave up is nobody else's for `claim_days`.
    """

    rooms_per_user: Amount = 200
    networks_per_user: Amount = 20
    messages_per_second: Annotated[float, Meta(gt=0)] = 20.0
    message_burst: Amount = 200
    waiting_per_chat: Amount = 500
    connects_at_once: Amount = 8
    claim_days: Annotated[int, Meta(ge=0)] = 30


class GatewayTable(msgspec.Struct, frozen=True):
    """`[gateway."DOMAIN"]` as it stands in the document, without its `options`."""

    backend: Name
    secret: str = ""
    secret_file: str = ""
    host: Name | None = None
    port: Port | None = None
    name: str = ""
    registration: Literal["open", "closed"] = "open"
    registration_required: bool = False
    allowed_users: tuple[UserPattern, ...] = ()
    allow_private_networks: bool = False
    options: dict[str, object] = {}


class GatewayConfig(msgspec.Struct, frozen=True):
    """One gateway domain, ready to be made. `options` is the backend's own `Options`.

    `allowed_users` are patterns of bare JIDs (empty: everybody); `registration` "closed" takes no new ones.
    """

    domain: str
    backend: str
    secret: Secret
    xmpp: XmppSettings
    options: msgspec.Struct
    name: str = ""
    registration: Literal["open", "closed"] = "open"
    registration_required: bool = False
    allowed_users: tuple[str, ...] = ()
    allow_private_networks: bool = False

    def __repr__(self) -> str:
        return f"GatewayConfig({self.domain!r}, {self.backend!r})"

    def secrets(self) -> tuple[str, ...]:
        """Every secret in it, those in the backend's options included."""
        return (self.secret.reveal(), *secrets_in(self.options))
