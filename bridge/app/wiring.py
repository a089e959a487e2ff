"""What each floor is told of the configuration: the link, the core, the backend of one gateway."""

from __future__ import annotations

import re

import msgspec

from bridge.api import Backend
from bridge.app import backends
from bridge.app.config import Config
from bridge.app.config_errors import key_path
from bridge.app.config_models import GatewayConfig
from bridge.core.ground import CoreSettings
from bridge.xmpp.link_config import LinkConfig


class StartFailed(Exception):
    """The bridge can't start, and trying again won't help; the text says why and what to do."""


def server_domain(gateway: GatewayConfig) -> str:
    """A domain that the XMPP server itself serves: what is configured, or the one above the gateway's."""
    return gateway.xmpp.domain or gateway.domain.partition(".")[2] or gateway.domain


def link_config(gateway: GatewayConfig, handshake_seconds: float = 15) -> LinkConfig:
    """How the gateway's component stream is had."""
    return LinkConfig(
        domain=gateway.domain,
        secret=gateway.secret.reveal(),
        server=server_domain(gateway),
        host=gateway.xmpp.host,
        port=gateway.xmpp.port,
        tls=gateway.xmpp.tls,
        ca_file=gateway.xmpp.ca_file or None,
        handshake_seconds=handshake_seconds,
        silence_seconds=gateway.xmpp.ping_after,
        ping_seconds=gateway.xmpp.ping_timeout,
    )


def core_settings(config: Config, gateway: GatewayConfig) -> CoreSettings:
    """What the core may do for this gateway's users."""
    limits = config.limits
    return CoreSettings(
        allow_private_networks=gateway.allow_private_networks,
        registration_required=gateway.registration_required,
        registration_open=gateway.registration == "open",
        allowed_users=tuple(map(_whole_jid, gateway.allowed_users)) or ("*",),
        admins=config.admins,
        keep_archive=config.archive.enabled,
        archive_days=config.archive.days,
        rooms_per_user=limits.rooms_per_user,
        networks_per_user=limits.networks_per_user,
        message_rate=limits.messages_per_second,
        message_burst=limits.message_burst,
        lane_length=limits.waiting_per_chat,
        connects_at_once=limits.connects_at_once,
        claim_days=limits.claim_days,
    )


def _whole_jid(pattern: str) -> str:
    """`example.com` means everybody there."""
    return pattern if "@" in pattern or pattern == "*" else f"*@{pattern}"


def make_backend(gateway: GatewayConfig) -> Backend:
    """The gateway's backend with its options. Raises StartFailed where it does not like them, with a line for
    each mistake."""
    try:
        return backends.load(gateway.backend).create(gateway.options)
    except ValueError as error:
        lines = [_placed(gateway, line) for line in str(error).splitlines() or [repr(error)]]
        raise StartFailed("\n".join(lines)) from None


def _placed(gateway: GatewayConfig, mistake: str) -> str:
    """A mistake with the whole path of its option, if it begins with one (`routes.main.port: ...`)."""
    path = key_path(("gateway", gateway.domain, "options"))
    first = re.match(r"\w+(?=[.:])", mistake)
    known = {field.encode_name for field in msgspec.structs.fields(type(gateway.options))}
    return f"{path}{'.' if first and first[0] in known else ': '}{mistake}"
