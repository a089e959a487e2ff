"""Knows how a command waits for what the server says to it: a match on the lines that come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from backends.irc.numerics import REFUSALS, is_error
from backends.irc.parser import Line
from bridge.api import Reason, Refused

T = TypeVar("T")
Claim = Callable[[str, Line], bool]
Match = Callable[[str, Line], T]
"""Given a line and its name (`nosuchnick`, `mode`), the result if that settles the wait, else `None`."""


class LinkEndedError(Exception):
    """The connection ended while a command waited for an answer."""


class Answer(Generic[T]):
    """One wait."""

    def __init__(self, match: Match[T], claims: Claim | None) -> None:
        self.match = match
        self.claims = claims
        self.ended = False
        self.future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

    async def get(self, seconds: float) -> T | None:
        """The result, or `None` when it takes longer. Raises `LinkEndedError`."""
        try:
            async with asyncio.timeout(seconds):
                result = await self.future
        except TimeoutError:
            return None
        if self.ended:
            raise LinkEndedError
        return result


class Waiters:
    """All waits of one connection."""

    def __init__(self) -> None:
        self._waiting: list[Answer[Any]] = []

    @contextmanager
    def expecting(self, match: Match[T], claims: Claim | None = None) -> Iterator[Answer[T]]:
        """Watch the lines from now on. Lines that `claims` says yes to are for this wait alone: the user is
        not told of them."""
        answer = Answer(match, claims)
        self._waiting.append(answer)
        try:
            yield answer
        finally:
            self._waiting.remove(answer)
            answer.future.cancel()

    def offer(self, name: str, line: Line) -> bool:
        """Show a line to all that wait; true if one of them claims it."""
        claimed = False
        for answer in self._waiting:
            if not answer.future.done():
                result = answer.match(name, line)
                claimed = claimed or (answer.claims is not None and answer.claims(name, line))
                if result is not None:
                    answer.future.set_result(result)
        return claimed

    def end(self) -> None:
        """The connection is gone. The error is raised where the wait is: kept in the future it would hold
        the frame that waited, and with it the session."""
        for answer in self._waiting:
            if not answer.future.done():
                answer.ended = True
                answer.future.set_result(None)


def refusal(name: str, line: Line) -> Refused | None:
    """What an error numeric says to a command; `None` for any other line."""
    if not is_error(line.command) and name != "tryagain":
        return None
    return Refused(REFUSALS.get(name, Reason.FORBIDDEN), line.param(-1) or "The network refused it")
