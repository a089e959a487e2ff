"""Back-off, pacing and the guard on outbound connections: values in, values out."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from bridge.api import ConnectionLost, Endpoint, Reason
from bridge.core.backoff import CAP, delay
from bridge.core.netguard import NetworkGuard, is_private
from bridge.core.pacing import TokenBucket
from tests.core.face import until


def test_backoff_grows_to_a_cap_and_is_spread() -> None:
    assert [delay(n, 0.0) for n in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 8.0]
    assert [delay(n, 1.0) for n in (1, 2, 3, 4)] == [2.0, 4.0, 8.0, 16.0]
    assert delay(10_000, 0.0) == CAP / 2
    assert delay(10_000, 0.999) < CAP


def test_bucket() -> None:
    bucket = TokenBucket(burst=2, per_second=1, now=0.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0, 1.0]
    assert bucket.take(0.5) == 0.5
    assert not bucket.full(1.0)
    assert bucket.take(1.0) == 0.0
    assert bucket.take(0.2) == 1.0, "a clock that jumps back stands still"
    assert bucket.full(50.0)
    assert TokenBucket(0, 0, 0.0).take(0.0) == float("inf")


PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.254", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "ff0e::1",
    "2001:db8::1", "100::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:224.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1", "::127.0.0.1",
    "2001:0:53aa:64c:0:fbfe:80ff:fffe",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "2606:4700::1111",
    "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1", "2a01:4f8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_not_to_be_connected_to(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_to_be_connected_to(address: str) -> None:
    assert not is_private(address)


async def test_a_literal_goes_through_the_guard_as_well() -> None:
    with pytest.raises(ConnectionLost, match="private") as refused:
        await NetworkGuard().resolve("127.0.0.1", 6667)
    assert refused.value.reason is Reason.FORBIDDEN
    with pytest.raises(ConnectionLost):
        await NetworkGuard().resolve("::ffff:7f00:1", 6667)
    assert await NetworkGuard(private=True).resolve("127.0.0.1", 6667) == (
        Endpoint("127.0.0.1", 6667, "127.0.0.1"),
    )


async def test_localhost_by_name() -> None:
    with pytest.raises(ConnectionLost) as refused:
        await NetworkGuard().resolve("localhost", 1)
    assert refused.value.reason is Reason.FORBIDDEN
    found = await NetworkGuard(private=True).resolve("localhost", 1)
    assert {one.host for one in found} <= {"127.0.0.1", "::1"}
    assert found[0].name == "localhost"


async def test_one_look_up_for_all_who_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    asked: list[str] = []
    ask = loop.getaddrinfo

    async def counted(name: str, port: int, **more: Any) -> Any:
        asked.append(name)
        return await ask(name, port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", counted)
    guard = NetworkGuard(private=True)
    many = [asyncio.create_task(guard.resolve("localhost", 1)) for _ in range(9)]
    await until(lambda: asked)
    many.pop(0).cancel()  # who does not wait any more takes nothing from the others
    found = await asyncio.gather(*many)
    assert len(set(found)) == len(asked) == 1
    await guard.resolve("localhost", 1)
    failed = await asyncio.gather(*[guard.resolve("a..b", 1) for _ in range(3)], return_exceptions=True)
    assert [type(one) for one in failed] == [ConnectionLost] * 3
    assert asked == ["localhost", "localhost", "a..b"]


@pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".example", "no such host"])
async def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ConnectionLost) as refused:
        await NetworkGuard(private=True).resolve(name, 1)
    assert refused.value.reason is Reason.NO_SUCH_NETWORK


@pytest.mark.parametrize(
    ("errno", "reason"),
    [(socket.EAI_NONAME, Reason.NO_SUCH_NETWORK), (socket.EAI_AGAIN, Reason.NETWORK_DOWN)],
)
async def test_a_resolver_that_is_away_is_no_missing_name(
    monkeypatch: pytest.MonkeyPatch, errno: int, reason: Reason
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(errno, "no")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    with pytest.raises(ConnectionLost) as refused:
        await NetworkGuard().resolve("x.example", 1)
    assert refused.value.reason is reason


async def test_private_addresses_beside_public_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (host, 1)) for host in ("10.0.0.1", "1.1.1.1", "::1", "1.1.1.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    assert [one.host for one in await NetworkGuard().resolve("x.example", 1)] == ["1.1.1.1"]
