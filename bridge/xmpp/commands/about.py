"""The commands about the gateway itself."""

from __future__ import annotations

from bridge.xmpp.commands.model import EVERYWHERE, Command, Context, Done, Step, has_networks

__all__ = ["ABOUT"]


async def _help(context: Context) -> Step:
    info = context.services.gateway.info
    lines = [f"{info.title}: {info.description}" if info.description else info.title]
    lines += [f"{_call(context, command)}: {command.help}" for command in context.commands]
    if context.chat:
        lines.append("cancel: leave a dialogue")
    return Done("\n".join(lines))


def _call(context: Context, command: Command) -> str:
    """A command with its arguments. Where there is but one network, nobody says which."""
    usage = command.usage
    if context.network is not None or not has_networks(context.services):
        usage = " ".join(word for word in usage.split(" ") if word.strip("[]") != "NETWORK")
    return f"{command.node} {usage}".rstrip()


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
