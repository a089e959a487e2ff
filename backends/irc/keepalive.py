"""Knows how a dead connection is noticed, and how a nick that was taken is got back."""

from __future__ import annotations

import itertools

from backends.irc.link import Link
from backends.irc.parser import Line, build
from bridge.api import ConnectionLost

_NICK_AGAIN = 60.0
"""Seconds between attempts to get the wished nick, where nobody is seen to give it up."""


async def watch(link: Link) -> None:
    """Ask the server for a sign of life now and then, and soon after messages: its answer shows
    that it has read them. Raises `ConnectionLost` when none comes."""
    for count in itertools.count(1):
        said = await link.unheard.wait(link.options.ping_interval)
        resting, rests = link.resting, link.rests
        token = f"alive-{count}"

        def answered(name: str, line: Line, token: str = token) -> bool | None:
            return True if name == "pong" and token in line.params else None

        with link.waiters.expecting(answered) as waiting:
            link.outbox.write(f"PING :{token}")
            alive = await waiting.get(link.options.ping_timeout)
        if alive:
            link.unheard.heard(said)
        elif not resting and link.rests == rests:
            # While we do not read no answer can be seen, and after that not at once.
            raise ConnectionLost("The server does not answer any more (ping timeout)")


async def regain_nick(link: Link, wait: float = _NICK_AGAIN) -> None:
    """Ask for the wished nick again: when its holder goes or is renamed, after `wait` seconds, and every
    minute."""

    def freed(name: str, line: Line) -> bool | None:
        holder = name in ("quit", "nick") and not link.is_me(line.nick)
        return (
            True if holder and link.isupport.fold(line.nick) == link.isupport.fold(link.wanted_nick) else None
        )

    while not link.is_me(link.wanted_nick):
        with link.waiters.expecting(freed) as waiting:
            await waiting.get(wait)
        wait = _NICK_AGAIN
        if not link.is_me(link.wanted_nick):
            link.regaining = True
            link.outbox.post(build("NICK", link.wanted_nick))
