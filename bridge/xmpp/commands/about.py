"""The commands about the gateway itself."""

from __future__ import annotations

from bridge.xmpp.commands.model import EVERYWHERE, Command, Context, Done, Step

__all__ = ["ABOUT"]


async def _help(context: Context) -> Step:
    info = context.services.gateway.info
    lines = [f"{info.title}: {info.description}" if info.description else info.title]
    lines += [
        f"{command.node}{' ' + command.usage if command.usage else ''}: {command.help}"
        for command in context.commands
    ]
    if context.chat:
        lines.append("cancel: leave a dialogue")
    return Done("\n".join(lines))


async def _ping(context: Context) -> Step:
    return Done("Pong")


async def _version(context: Context) -> Step:
    software = context.services.software
    return Done(f"{software.name} {software.version}".strip())


ABOUT = (
    Command("help", "Help", "what this gateway understands", _help, where=EVERYWHERE),
    Command("ping", "Ping", "see whether the gateway answers", _ping),
    Command("version", "Version", "what the gateway runs", _version),
)
