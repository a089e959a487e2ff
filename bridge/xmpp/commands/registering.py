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

__all__ = ["REGISTERING"]


def _name(context: Context, network: NetworkId) -> str:
    if not network:
        return context.services.addresses.domain
    return context.services.gateway.backend.display_name(NetworkAddress(network))


async def _register(context: Context) -> Step:
    if context.network is not None or not has_networks(context.services):
        return await _details(context, context.network or NetworkId(""))
    field = Field("network", "Network", help="Leave it empty for what is to hold on every network.")

    async def chosen(values: Mapping[str, str]) -> Step:
        typed = values.get("network", "")
        network = network_named(context.services, typed, "network") if typed else NetworkId("")
        return await _details(context, network)

    return Ask(Form("Register", "Which network do you want to register with?", (field,)), chosen, more=True)


async def _details(context: Context, network: NetworkId) -> Step:
    registrar = context.services.registrar
    known = await registrar.registered(context.user, network)

    async def give(values: Mapping[str, str]) -> Step:
        try:
            new = await registrar.register(context.user, network, values)
        except RegistrationRefused as error:
            raise CommandFailed(str(error), error.field, again=True) from error
        done = "You are registered with" if new else "Your registration was changed:"
        return Done(f"{done} {_name(context, network)}{'.' if new else ''}")

    form = await registrar.form(context.user, network)
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
    what = _name(context, network) if network else "this gateway, and all that it has of yours"
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
