"""The commands that register a user, and undo it."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.api import Field, FieldKind, Form, NetworkAddress, NetworkId, RegistrationRefused
from bridge.xmpp.commands.model import (
    EVERYWHERE,
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

__all__ = ["ANY_NETWORK", "REGISTERING", "details", "network_name"]

ANY_NETWORK = Field("network", "Network", help="Leave it empty for what is to hold on every network.")


def network_name(context: Context, network: NetworkId) -> str:
    """A network in words; `""` is the gateway."""
    if not network:
        return context.services.addresses.domain
    return context.services.gateway.backend.display_name(NetworkAddress(network))


async def _register(context: Context) -> Step:
    if context.network is not None or not has_networks(context.services):
        return await details(context, context.network or NetworkId(""))

    async def chosen(values: Mapping[str, str]) -> Step:
        typed = values.get("network", "")
        network = network_named(context.services, typed, "network") if typed else NetworkId("")
        return await details(context, network)

    return Ask(
        Form("Register", "Which network do you want to register with?", (ANY_NETWORK,)), chosen, more=True
    )


async def details(context: Context, network: NetworkId, other: str = "") -> Step:
    """Ask for what registering needs, and register: whoever asks, or, for an admin, the user `other`."""
    registrar, user, by_admin = context.services.registrar, other or context.user, bool(other)
    known = await registrar.registered(user, network)

    async def give(values: Mapping[str, str]) -> Step:
        try:
            new = await registrar.register(user, network, values, by_admin=by_admin)
        except RegistrationRefused as error:
            raise CommandFailed(str(error), error.field, again=True) from error
        name = network_name(context, network)
        if new:
            return Done(f"{f'{other} is' if other else 'You are'} registered with {name}.")
        return Done(f"{f'The registration of {other}' if other else 'Your registration'} was changed: {name}")

    form = await registrar.form(user, network, by_admin=by_admin)
    return Ask(form, give, known) if form.fields else await give({})


async def _unregister(context: Context) -> Step:
    if context.network is not None:
        return await _confirm(context, context.network)
    registered = await context.services.gateway.accounts.registrations(context.user)
    networks = sorted({one.network for one in registered if one.network})
    if not networks:
        return await _confirm(context, NetworkId(""))
    choices = (("", "everything"), *((network, network) for network in networks))
    field = Field("network", "What to remove", FieldKind.CHOICE, choices=choices)

    async def chosen(values: Mapping[str, str]) -> Step:
        return await _confirm(context, NetworkId(values.get("network", "")))

    return Ask(Form("Unregister", "Which registration shall be removed?", (field,)), chosen, more=True)


async def _confirm(context: Context, network: NetworkId) -> Step:
    async def confirmed(values: Mapping[str, str]) -> Step:
        if values.get("confirm") != "true":
            return Done("Nothing was removed.")
        if not await context.services.registrar.unregister(context.user, network):
            raise CommandFailed("You are not registered.")
        return Done("Your registration was removed.")

    field = Field("confirm", "Remove it", FieldKind.FLAG, default="false")
    what = network_name(context, network) if network else "this gateway, and all that it has of yours"
    return Ask(Form("Unregister", f"This removes your registration with {what}.", (field,)), confirmed)


REGISTERING = (
    Command(
        "register",
        "Register",
        "register, or change what is registered",
        _register,
        usage="[NETWORK]",
        where=EVERYWHERE,
    ),
    Command(
        "unregister",
        "Unregister",
        "remove a registration",
        _unregister,
        usage="[NETWORK]",
        access=Access.REGISTERED,
        where=EVERYWHERE,
    ),
)
