"""What an author of a backend tells the conformance suite about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bridge.api import Account, AccountId, Address, Backend, Command, NetworkId, Query, RoomId


class Scenario:
    """One backend with its network, as the conformance suite needs it. Subclass it; only `backend` is a must.

    Every attribute left empty makes the tests about it pass without looking, so fill in what the backend has.
    """

    account = Account(AccountId("test"), user="user@example.org", network=NetworkId(""), nick="user")
    """Whose session is opened."""
    addresses: Sequence[Address] = ()
    """Samples that `format_address` and `parse_address` must take round."""
    own_addresses: Sequence[str] = ()
    """Local parts that only the account's user writes like that (a number without its country), where the
    backend is a `NormalisingBackend`."""
    bad_addresses: Sequence[str] = ()
    """Local parts that stand for nothing; `BadAddress` is due. Any junk is tried in any case."""
    room: RoomId | None = None
    """A room that can be joined."""
    commands: Sequence[Command] = ()
    """Commands that must each end in an outcome; most of them should succeed."""
    queries: Sequence[Query] = ()
    """Queries that must each end in an answer or `QueryFailed`."""
    injections: Sequence[Command] = ()
    """Commands whose texts try to smuggle in more (line breaks in a nick, say). See `smuggled`."""

    def backend(self) -> Backend:
        """A new backend."""
        raise NotImplementedError

    @asynccontextmanager
    async def network(self) -> AsyncIterator[None]:
        """The network is up inside the `with`; it may change `account`."""
        yield

    def smuggled(self) -> Sequence[str]:
        """What the network got that none of the `injections` was allowed to cause. Empty is right."""
        return ()

    async def break_link(self) -> None:
        """Cut the session's connection from the network's side, where there is one."""
        raise NotImplementedError

    async def incoming(self) -> None:
        """Make the network send the account a message that it wants acknowledged."""
        raise NotImplementedError

    def acknowledged(self) -> bool:
        """Whether the network was told that what `incoming` sent has arrived."""
        raise NotImplementedError

    async def wait_acknowledged(self) -> None:
        """Return once `acknowledged` is true."""
        raise NotImplementedError

    def has(self, part: str) -> bool:
        """Whether a subclass defines this optional method."""
        return getattr(type(self), part) is not getattr(Scenario, part)
