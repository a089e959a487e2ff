"""The commands about whom to talk to: add a contact or a room, one's rooms, a network's rooms."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.api import (
    BackendError,
    BadAddress,
    Field,
    Form,
    NetworkAddress,
    NetworkId,
    RoomAddress,
    RoomListing,
)
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
from bridge.xmpp.jids import BadJid, uri

__all__ = ["people"]

SHOWN = 50


async def _add(context: Context) -> Step:
    info = context.services.gateway.info
    field = Field("address", "Address", required=True, help=info.contact_prompt)

    async def typed(values: Mapping[str, str]) -> Step:
        try:
            address, jid = await context.services.prompt.look_up(context.user, values["address"])
        except BadAddress as error:
            raise CommandFailed(str(error), "address") from error
        face = context.services.gateway.face
        if isinstance(address, RoomAddress):
            face.invitation(context.user, jid, "", "You asked for it.", [context.resource])
            return Done(_how_to_join(jid))
        face.subscription(context.user, jid, "subscribe")
        return Done(f"{jid} was added: accept the request, and write to that address.")

    return Ask(Form("Add a contact", info.description, (field,)), typed)


def _how_to_join(jid: str) -> str:
    return (
        f"{jid} is a room. To join it, accept the invitation that you were just sent, or enter that address "
        f"where your client joins group chats ({uri(jid)}?join)."
    )


async def _rooms(context: Context) -> Step:
    joined = [
        f"{room.jid} ({len(room.occupants)} people, as {room.me})"
        for room in context.services.gateway.rooms.of(context.user)
        if room.joined and context.network in (None, room.address.network)
    ]
    return Done("\n".join(sorted(joined)) or "You are in no rooms.")


async def _list(context: Context) -> Step:
    fields = [Field("search", "Only with this word")]
    only = context.network
    if only is None and not has_networks(context.services):
        only = NetworkId("")
    if only is None:
        fields.insert(0, Field("network", "Network", required=True))

    async def chosen(values: Mapping[str, str]) -> Step:
        network = only
        if network is None:
            network = network_named(context.services, values["network"], "network")
        return await _listing(context, network, values.get("search", ""))

    return Ask(Form("Find rooms", "Which rooms does a network have?", tuple(fields)), chosen, brief=True)


async def _listing(context: Context, network: NetworkId, word: str) -> Done:
    try:
        rooms = await context.services.room_list.rooms(context.user, network, fresh=False)
    except BackendError as error:
        raise CommandFailed(str(error)) from error
    word = word.strip().lower()
    found = [room for room in rooms if word in room.name.lower() or word in room.subject.lower()]
    found.sort(key=lambda room: room.occupants, reverse=True)
    lines = [_line(context, network, room) for room in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"({len(found) - SHOWN} more)")
    name = context.services.gateway.backend.display_name(NetworkAddress(network))
    return Done("\n".join(lines) or f"{name} has no such rooms.")


def _line(context: Context, network: NetworkId, room: RoomListing) -> str:
    try:
        jid = context.services.addresses.jid(RoomAddress(network, room.room))
    except BadJid:
        jid = room.name
    people = f" ({room.occupants})" if room.occupants >= 0 else ""
    return f"{jid}{people} {room.subject[:100]}".rstrip()


def people(contacts: bool, rooms: bool) -> tuple[Command, ...]:
    """The commands of a gateway that has a question for new contacts, and has rooms."""
    found: list[Command] = []
    if contacts:
        whom = "a person or a room" if rooms else "a person"
        found.append(Command("add", "Add a contact", f"get the JID of {whom}", _add, usage="ADDRESS"))
    if rooms:
        found.append(Command("rooms", "Your rooms", "the rooms that you are in", _rooms, where=EVERYWHERE))
        found.append(
            Command(
                "list", "Find rooms", "a network's rooms", _list, usage="NETWORK [WORD]", where=EVERYWHERE
            )
        )
    return tuple(found)
