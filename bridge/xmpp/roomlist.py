"""Knows the room lists that networks gave, per user and network, and how to page through one (XEP-0059)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import msgspec

from bridge.api import AskRooms, NetworkId, QueryFailed, Reason, RoomListing
from bridge.core.gateway import Gateway
from bridge.core.values import SessionState
from bridge.xmpp.escape import text
from bridge.xmpp.features import NS
from bridge.xmpp.iqs import StanzaError

__all__ = ["Page", "PageRequest", "RoomList", "connected", "page_of", "read_page_request"]

_RSM = f"{{{NS.RSM}}}"
DEFAULT_PAGE = 100
LARGEST_PAGE = 1000
CACHED_LISTS = 64
CACHED_SECONDS = 3600.0


class PageRequest(msgspec.Struct, frozen=True):
    """A `<set/>` of a request: None for what it does not say."""

    limit: int = DEFAULT_PAGE
    after: str | None = None
    before: str | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it continues a listing rather than starting one."""
        return self.after is not None or self.before is not None


class Page(msgspec.Struct, frozen=True):
    """A part of a list of ids: positions `start` to `end` (not included) of `count`."""

    start: int
    end: int
    ids: tuple[str, ...]
    count: int

    def render(self) -> str:
        """The `<set/>` of the answer."""
        parts = [f"<set xmlns='{NS.RSM}'>"]
        if self.ids:
            parts.append(f"<first index='{self.start}'>{text(self.ids[0])}</first>")
            parts.append(f"<last>{text(self.ids[-1])}</last>")
        parts.append(f"<count>{self.count}</count></set>")
        return "".join(parts)


def read_page_request(payload: Element) -> PageRequest:
    """What part of a list is asked for. Raises bad-request for a `max` that is no number."""
    found = payload.find(_RSM + "set")
    if found is None:
        return PageRequest()
    raw = (found.findtext(_RSM + "max") or "").strip()
    if raw and not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise StanzaError("modify", "bad-request", "The page size is not a number.")
    limit = min(int(raw), LARGEST_PAGE) if raw else DEFAULT_PAGE
    return PageRequest(limit, found.findtext(_RSM + "after"), found.findtext(_RSM + "before"))


def page_of(ids: Sequence[str], request: PageRequest) -> Page:
    """The page of a list that is asked for. Raises item-not-found for an id that is not in it (§2.2)."""
    start, end = 0, len(ids)
    if request.after is not None:
        start = _position(ids, request.after) + 1
    if request.before:
        end = _position(ids, request.before)
    if request.before is not None:
        start = max(start, end - request.limit)
    else:
        end = min(end, start + request.limit)
    end = max(start, end)
    return Page(start, end, tuple(ids[start:end]), len(ids))


def _position(ids: Sequence[str], wanted: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError as error:
        raise StanzaError("cancel", "item-not-found", "The list has no such item (any more).") from error


def connected(gateway: Gateway, user: str, network: NetworkId) -> bool:
    """Whether the user's session with a network is up."""
    return any(
        one.network == network and one.state is SessionState.ONLINE for one in gateway.accounts.status(user)
    )


class _Listed(msgspec.Struct, frozen=True):
    task: asyncio.Task[tuple[RoomListing, ...]]
    at: float


class RoomList:
    """The latest room list of each user and network. `clock` is in seconds."""

    def __init__(self, gateway: Gateway, clock: Callable[[], float]) -> None:
        self._gateway = gateway
        self._clock = clock
        self._lists: OrderedDict[tuple[str, NetworkId], _Listed] = OrderedDict()

    async def rooms(self, user: str, network: NetworkId, *, fresh: bool) -> tuple[RoomListing, ...]:
        """The network's rooms; `fresh`: asked for again (a question under way is shared).

        Raises QueryFailed (`OFFLINE` where the user is not connected), ConnectionLost.
        """
        if not connected(self._gateway, user, network):
            raise QueryFailed(Reason.OFFLINE, "You are not connected to that network.")
        key = (user, network)
        listed = self._lists.get(key)
        if listed is None or self._stale(listed, fresh):
            task = asyncio.get_running_loop().create_task(self._ask(user, network))
            listed = self._lists[key] = _Listed(task, self._clock())
            self._lists.move_to_end(key)
            while len(self._lists) > CACHED_LISTS:
                self._lists.popitem(last=False)
        return await asyncio.shield(listed.task)

    def knows(self, user: str, network: NetworkId, room: str) -> bool:
        """Whether the list as last fetched has that room, which is thereby a public one."""
        listed = self._lists.get((user, network))
        if listed is None or not listed.task.done() or _failed(listed.task):
            return False
        return any(one.room == room for one in listed.task.result())

    def _stale(self, listed: _Listed, fresh: bool) -> bool:
        if not listed.task.done():
            return False
        return fresh or _failed(listed.task) or self._clock() - listed.at > CACHED_SECONDS

    async def _ask(self, user: str, network: NetworkId) -> tuple[RoomListing, ...]:
        return (await self._gateway.accounts.query(user, network, AskRooms())).rooms


def _failed(task: asyncio.Task[tuple[RoomListing, ...]]) -> bool:
    return task.cancelled() or task.exception() is not None
