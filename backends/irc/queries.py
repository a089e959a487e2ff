"""Knows how to ask: CTCP VERSION and PING, WHOIS, LIST."""

from __future__ import annotations

import asyncio

from backends.irc import ctcp
from backends.irc.formatting import plain
from backends.irc.link import Link
from backends.irc.names import is_target
from backends.irc.numerics import REFUSALS
from backends.irc.parser import Line, build
from backends.irc.replies import Claim, LinkEndedError, Match
from bridge.api import (
    Answer,
    AskPing,
    AskProfile,
    AskRooms,
    AskVersion,
    ContactId,
    Query,
    QueryFailed,
    Reason,
    RoomId,
    RoomListing,
)

_GONE = frozenset({"nosuchnick", "nosuchserver"})
_WHOIS = frozenset(
    {
        "whoisuser",
        "whoisserver",
        "whoisoperator",
        "whoisidle",
        "whoischannels",
        "whoisaccount",
        "whoiscertfp",
        "whoisregnick",
        "whoisspecial",
        "whoisactually",
        "whoishost",
        "whoismodes",
        "whoissecure",
        "isaway",
        "endofwhois",
    }
)
_LIST = frozenset({"liststart", "list", "listend", "tryagain"})
_MOST_ROOMS = 100_000


class Queries:
    """Asks the network on the user's behalf."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._list: asyncio.Future[Answer] | None = None
        self._asked_before = 0

    async def ask(self, query: Query) -> Answer:
        """The answer; raises `QueryFailed`."""
        try:
            match query:
                case AskVersion(contact=contact):
                    return Answer({"name": await self._ctcp(contact, "VERSION", "")})
                case AskPing(contact=contact):
                    await self._ctcp(contact, "PING", self._token())
                    return Answer()
                case AskProfile(contact=contact):
                    return await self._whois(contact)
                case AskRooms():
                    return await self._rooms()
        except LinkEndedError:
            raise QueryFailed(Reason.NETWORK_DOWN, "The connection to the network broke") from None

    def _token(self) -> str:
        self._asked_before += 1
        return f"xmpp-bridge-{self._asked_before}"

    async def _ctcp(self, contact: ContactId, command: str, text: str) -> str:
        fold = self._link.isupport.fold
        wanted = fold(_checked(contact))

        def match(name: str, line: Line) -> str | QueryFailed | None:
            if name in _GONE and fold(line.param(1)) == wanted:
                return _not_there(line)
            if name != "notice" or fold(line.nick) != wanted:
                return None
            answer = ctcp.parse(line.param(1))
            return plain(answer[1]) if answer is not None and answer[0] == command else None

        def claims(name: str, line: Line) -> bool:
            return name in _GONE and fold(line.param(1)) == wanted

        return await self._asked(build("PRIVMSG", contact, trailing=ctcp.build(command, text)), match, claims)

    async def _asked(
        self,
        line: str,
        match: Match[str | QueryFailed | None],
        claims: Claim,
        then: str = "",
    ) -> str:
        with self._link.waiters.expecting(match, claims) as waiting:
            if not await self._link.outbox.send(line):
                raise LinkEndedError
            if then:
                self._link.outbox.write(then)
            answer = await waiting.get(self._link.options.answer_timeout)
        if isinstance(answer, str):
            return answer
        raise answer if isinstance(answer, QueryFailed) else QueryFailed(Reason.TIMEOUT, "No answer")

    async def _whois(self, contact: ContactId) -> Answer:
        fold = self._link.isupport.fold
        wanted = fold(_checked(contact))
        fields: dict[str, str] = {}
        notes: list[str] = []
        gone: list[QueryFailed] = []
        token = self._token()

        def match(name: str, line: Line) -> str | QueryFailed | None:
            if name == "pong" and token in line.params:
                return gone[0] if gone else "done"
            if fold(line.param(1)) != wanted:
                return None
            if name in _GONE:
                gone.append(_not_there(line))
            elif name == "whoisuser":
                fields["nick"], fields["name"] = line.param(1), plain(line.param(-1))
                notes.append(f"{line.param(2)}@{line.param(3)}")
            elif name in _WHOIS and name != "endofwhois":
                notes.append(_whois_note(name, line))
            return None

        def claims(name: str, line: Line) -> bool:
            return name in _WHOIS | _GONE and fold(line.param(1)) == wanted

        # Not every server ends a WHOIS of nobody, so the end is the answer to a PING.
        await self._asked(build("WHOIS", contact), match, claims, f"PING :{token}")
        return Answer(fields | {"note": "\n".join(note for note in notes if note)})

    async def _rooms(self) -> Answer:
        """LIST is long, and servers limit it: all who ask meanwhile share one answer."""
        if self._list is None:
            self._list = asyncio.get_running_loop().create_future()
            try:
                self._list.set_result(await self._listed())
            except BaseException as error:
                failure = error if isinstance(error, Exception) else QueryFailed(Reason.TIMEOUT, "Given up")
                self._list.set_exception(failure)
                self._list.exception()  # seen: it is raised here, too
                raise
            finally:
                shared, self._list = self._list, None
            return shared.result()
        return await asyncio.shield(self._list)

    async def _listed(self) -> Answer:
        rooms: list[RoomListing] = []

        def match(name: str, line: Line) -> str | QueryFailed | None:
            if name == "list" and len(rooms) < _MOST_ROOMS:
                rooms.append(self._listing(line))
            elif name == "tryagain":
                return QueryFailed(Reason.RATE_LIMITED, line.param(-1))
            return "done" if name == "listend" else None

        await self._asked("LIST", match, lambda name, _line: name in _LIST)
        return Answer(rooms=tuple(rooms))

    def _listing(self, line: Line) -> RoomListing:
        name, count = line.param(1), line.param(2)
        occupants = int(count) if count.isascii() and count.isdecimal() else -1
        topic = plain(line.param(3))
        return RoomListing(RoomId(self._link.channels.room(name)), name, occupants, topic)


def _checked(contact: ContactId) -> ContactId:
    if not is_target(contact):
        raise QueryFailed(Reason.BAD_REQUEST, f"{contact!r} cannot be a nick")
    return contact


def _not_there(line: Line) -> QueryFailed:
    return QueryFailed(REFUSALS["nosuchnick"], f"{line.param(1)}: {line.param(-1)}")


def _whois_note(name: str, line: Line) -> str:
    """One line about somebody, in words."""
    value, text = line.param(2), plain(line.param(-1))
    if name == "whoisidle":
        return f"idle for {value} s" if value.isdecimal() else ""
    if name == "whoischannels":
        return f"in {text}"
    if name == "isaway":
        return f"away: {text}"
    if name == "whoisserver":
        return f"on {value} ({text})"
    if name == "whoisaccount":
        return f"account {value}"
    return text
