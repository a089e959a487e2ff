"""The commands with which admins register users, and undo it."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.api import Field, Form, NetworkId
from bridge.xmpp.commands.model import (
    Access,
    Ask,
    Command,
    CommandFailed,
    Context,
    Done,
    Step,
    has_networks,
    network_named,
)
from bridge.xmpp.commands.registering import ANY_NETWORK, details
from bridge.xmpp.jids import BadJid, bare, prepare

__all__ = ["REGISTERING_USERS"]

USER = Field("jid", "User", required=True, help="A JID")


def _fields(context: Context, network: Field) -> tuple[Field, ...]:
    return (USER, network) if has_networks(context.services) else (USER,)


def _whom(context: Context, values: Mapping[str, str]) -> tuple[str, NetworkId]:
    """The user and the network that were typed. Raises CommandFailed."""
    try:
        user = bare(prepare(values["jid"].strip()))
    except BadJid as error:
        raise CommandFailed("That is not a JID.", "jid") from error
    if "@" not in user:
        raise CommandFailed("Only people can be registered.", "jid")
    typed = values.get("network", "")
    return user, network_named(context.services, typed, "network") if typed else NetworkId("")


async def _register(context: Context) -> Step:
    async def chosen(values: Mapping[str, str]) -> Step:
        user, network = _whom(context, values)
        return await details(context, network, user)

    form = Form("Register a user", "Whom do you want to register?", _fields(context, ANY_NETWORK))
    return Ask(form, chosen, more=True)


async def _unregister(context: Context) -> Step:
    async def chosen(values: Mapping[str, str]) -> Step:
        user, network = _whom(context, values)
        if not await context.services.registrar.unregister(user, network):
            raise CommandFailed(f"{user} is not registered there.")
        return Done(f"The registration of {user} was removed.")

    network = Field("network", "Network", help="Leave it empty to remove all that the user has here.")
    instructions = "Whose registration shall be removed?"
    return Ask(Form("Unregister a user", instructions, _fields(context, network)), chosen, brief=True)


REGISTERING_USERS = (
    Command(
        "register-user",
        "Register a user",
        "register a user, or change what is registered",
        _register,
        usage="JID [NETWORK]",
        access=Access.ADMIN,
    ),
    Command(
        "unregister-user",
        "Unregister a user",
        "remove a user's registration",
        _unregister,
        usage="JID [NETWORK]",
        access=Access.ADMIN,
    ),
)
