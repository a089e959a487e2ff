"""The host for tests waits for facts, and can hold, lose and congest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from bridge.api import Connected, ConnectionLost, NameChanged, NetworkId, NetworkNotice, Reason
from bridge.testing import FakeGatewayHost, FakeHost, NotEmitted


async def test_wait_finds_what_was_and_what_will_be() -> None:
    host = FakeHost()
    host.emit(Connected("a"))
    assert await host.wait(Connected) == Connected("a")
    later = asyncio.create_task(host.wait(NameChanged, lambda event: event.name == "c"))
    await asyncio.sleep(0)
    host.emit(NameChanged("b"))
    host.emit(NameChanged("c"))
    assert await later == NameChanged("c")
    assert host.of_type(NameChanged) == [NameChanged("b"), NameChanged("c")]


async def test_wait_after_an_index_ignores_what_was() -> None:
    host = FakeHost()
    host.emit(NameChanged("a"))
    with pytest.raises(NotEmitted, match=r"no NameChanged within 0\.01 s; emitted: \[\]"):
        await host.wait(NameChanged, timeout=0.01, after=len(host.events))


async def test_an_event_is_stored_at_once_with_its_cursor() -> None:
    host = FakeHost()
    await host.emit(NetworkNotice("x"), cursor=("inbox", "7"))
    assert await host.cursor("inbox") == "7"
    assert await host.cursor("other") is None


async def test_held_events_are_stored_later_or_lost() -> None:
    host = FakeHost()
    host.emit(Connected("a"))
    host.hold_storing = True
    stored = asyncio.ensure_future(host.emit(NetworkNotice("x"), cursor=("inbox", "7")))
    await asyncio.sleep(0)
    assert not stored.done()
    assert await host.cursor("inbox") is None
    host.store()
    await stored
    assert await host.cursor("inbox") == "7"
    lost = asyncio.ensure_future(host.emit(NetworkNotice("y")))
    host.lose_unstored()
    with pytest.raises(asyncio.CancelledError):
        await lost
    assert host.events == [Connected("a"), NetworkNotice("x")]


async def test_congestion_holds_drain() -> None:
    host = FakeHost()
    await host.drain()
    host.congest()
    assert host.congested
    draining = asyncio.create_task(host.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    host.congest(False)
    await draining


async def test_names_resolve_to_loopback_or_what_the_test_says() -> None:
    host = FakeHost(endpoints={"irc.example.net": "127.0.0.2"})
    assert [end.host for end in await host.resolve("irc.example.net", 6667)] == ["127.0.0.2"]
    assert [end.host for end in await host.resolve("localhost", 6667)] == ["127.0.0.1"]
    assert [end.host for end in await host.resolve("::1", 6667)] == ["::1"]
    with pytest.raises(ConnectionLost) as raised:
        await host.resolve("nowhere.example", 6667)
    assert raised.value.reason is Reason.NO_SUCH_NETWORK


async def test_a_gateway_knows_who_was_enrolled_and_holds_what() -> None:
    class Numbers:
        def claims(self, network: NetworkId, settings: Mapping[str, str]) -> tuple[str, ...]:
            return (settings["number"],)

    gateway = FakeGatewayHost(Numbers())  # type: ignore[arg-type]
    alice, network = "alice@example.org", NetworkId("")
    await gateway.enrol(alice, network, {"number": "1", "name": "Al"})
    host = await gateway.holder("1")
    assert host is not None
    await gateway.enrol(alice, network, {"number": "2"})
    assert await gateway.holder("2") is host is gateway.accounts[alice, network]
    assert (host.account.user, host.account.settings) == (alice, {"number": "2", "name": "Al"})
    assert await gateway.holder("1") is None
    await gateway.enrol("bob@example.org", network, {}, ["2"])
    assert await gateway.holder("2") is not host
    gateway.hosts["3"] = ConnectionLost("out")
    with pytest.raises(ConnectionLost):
        await gateway.holder("3")
    assert [end.host for end in await gateway.resolve("localhost", 1)] == ["127.0.0.1"]
