"""The commands of the gateway's admins."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.api import Field, FieldKind, Form
from bridge.xmpp.commands.model import Access, Ask, Command, CommandFailed, Context, Done, Step
from bridge.xmpp.commands.sessions import disconnect_all, line_of

__all__ = ["ADMIN"]


def _users(context: Context) -> list[str]:
    return sorted(set(context.services.users()))


async def _list(context: Context) -> Step:
    accounts = context.services.gateway.accounts
    lines = [
        f"{user}: {line_of(context, status)}" for user in _users(context) for status in accounts.status(user)
    ]
    return Done("\n".join(lines) or "Nobody is connected.")


async def _disconnect(context: Context) -> Step:
    users = _users(context)
    if not users:
        raise CommandFailed("Nobody is connected.")
    choices = tuple((user, user) for user in users)
    fields = (
        Field("jid", "User", FieldKind.CHOICE, required=True, choices=choices),
        Field("message", "Message to others", default="Disconnected by the gateway's admin"),
    )

    async def chosen(values: Mapping[str, str]) -> Step:
        count = await disconnect_all(context, values["jid"], values.get("message", ""))
        return Done(f"{values['jid']} was disconnected from {count} network{'' if count == 1 else 's'}.")

    return Ask(Form("Disconnect a user", "Close all of a user's sessions.", fields), chosen, brief=True)


ADMIN = (
    Command("users", "Users and sessions", "who is connected", _list, access=Access.ADMIN),
    Command(
        "disconnect-user",
        "Disconnect a user",
        "close all of a user's sessions",
        _disconnect,
        usage="JID [MESSAGE]",
        access=Access.ADMIN,
    ),
)
