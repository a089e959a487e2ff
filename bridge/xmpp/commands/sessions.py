"""The commands about a user's connections: how they stand, connect, disconnect."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from bridge.api import Field, FieldKind, Form, NetworkAddress, NetworkId
from bridge.core.values import AccountStatus, SessionState
from bridge.xmpp.commands.model import (
    EVERYWHERE,
    Ask,
    Command,
    CommandFailed,
    Context,
    Done,
    Step,
    has_networks,
    network_named,
)

__all__ = ["SESSIONS", "disconnect_all", "line_of"]

_WORDS = {
    SessionState.IDLE: "not connected",
    SessionState.CONNECTING: "connecting",
    SessionState.ONLINE: "connected",
    SessionState.WAITING: "waiting to connect again",
    SessionState.NEEDS_LOGIN: "not connected: the login was refused, register again",
    SessionState.CLOSED: "not connected",
}


def line_of(context: Context, status: AccountStatus) -> str:
    """One account in words."""
    network = NetworkId(status.network)
    name = context.services.gateway.backend.display_name(NetworkAddress(network))
    parts = [_WORDS[status.state]]
    if status.state is SessionState.ONLINE:
        since = datetime.fromtimestamp(status.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        parts = [f"connected as {status.name} since {since}"]
    if status.state is SessionState.WAITING:
        parts.append(f"in {max(0, round(status.until - time.time()))} s")
    if status.text:
        parts.append(status.text)
    if status.rooms:
        parts.append("rooms: " + " ".join(status.rooms))
    if status.registered:
        parts.append("registered")
    return f"{name}: {'; '.join(parts)}"


async def _status(context: Context) -> Step:
    accounts = context.services.gateway.accounts
    wanted = context.network
    statuses = [one for one in accounts.status(context.user) if wanted in (None, one.network)]
    seen = {one.network for one in statuses}
    registered = await accounts.registrations(context.user)
    lines = [line_of(context, one) for one in sorted(statuses, key=lambda one: one.network)]
    lines += [
        line_of(context, AccountStatus(one.network, SessionState.IDLE, "", (), registered=True))
        for one in registered
        if one.network and one.network not in seen and wanted in (None, one.network)
    ]
    if not lines:
        lines = ["You are not connected."]
    if context.network is None:
        lines.insert(0, "You are registered." if registered else "You are not registered.")
    return Done("\n".join(lines))


async def _connect(context: Context) -> Step:
    if context.network is not None:
        return _connecting(context, context.network)
    if not has_networks(context.services):
        return _connecting(context, NetworkId(""))
    known = await _known_networks(context)
    field = Field("network", "Network", required=True, default=known[0] if len(known) == 1 else "")

    async def chosen(values: Mapping[str, str]) -> Step:
        return _connecting(context, network_named(context.services, values["network"], "network"))

    return Ask(Form("Connect", "Which network do you want to be connected to?", (field,)), chosen)


async def _known_networks(context: Context) -> list[str]:
    accounts = context.services.gateway.accounts
    registered = {one.network for one in await accounts.registrations(context.user)}
    known = registered | {one.network for one in accounts.status(context.user)}
    return sorted(known - {""})


def _connecting(context: Context, network: NetworkId) -> Done:
    context.services.gateway.accounts.connect(context.user, network)
    name = context.services.gateway.backend.display_name(NetworkAddress(network))
    return Done(f"Connecting to {name}.")


async def _disconnect(context: Context) -> Step:
    accounts = context.services.gateway.accounts
    live = sorted(one.network for one in accounts.status(context.user) if one.state is not SessionState.IDLE)
    if context.network is not None:
        live = [network for network in live if network == context.network]
    if not live:
        raise CommandFailed("You are not connected.")
    fields = [Field("message", "Message to others")]
    if len(live) > 1:
        choices = tuple((network, network) for network in live)
        fields.insert(0, Field("network", "Network", FieldKind.CHOICE, required=True, choices=choices))
    elif context.chat and live[0]:
        # so that the network may be named on the line, as it must be once there are two
        choices = ((live[0], live[0]),)
        fields.insert(0, Field("network", "Network", FieldKind.CHOICE, default=live[0], choices=choices))

    async def chosen(values: Mapping[str, str]) -> Step:
        network = NetworkId(values.get("network") or live[0])
        if not await accounts.disconnect(context.user, network, values.get("message", "")):
            raise CommandFailed("You are not connected.")
        name = context.services.gateway.backend.display_name(NetworkAddress(network))
        return Done(f"Disconnected from {name}.")

    return Ask(
        Form("Disconnect", "Leave a network, and all your rooms on it.", tuple(fields)), chosen, brief=True
    )


async def disconnect_all(context: Context, user: str, message: str) -> int:
    """Close all of a user's sessions; returns how many there were."""
    accounts = context.services.gateway.accounts
    closed = [
        await accounts.disconnect(user, NetworkId(one.network), message) for one in accounts.status(user)
    ]
    return sum(closed)


SESSIONS = (
    Command("status", "Status", "how your connections stand", _status, where=EVERYWHERE),
    Command(
        "connect", "Connect", "connect, and stay connected", _connect, usage="[NETWORK]", where=EVERYWHERE
    ),
    Command(
        "disconnect",
        "Disconnect",
        "leave a network",
        _disconnect,
        usage="[NETWORK] [MESSAGE]",
        where=EVERYWHERE,
    ),
)
