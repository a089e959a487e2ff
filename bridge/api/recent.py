"""A short memory for what many accounts are told at nearly the same time, so that the work is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SECONDS = 2.0
LIMIT = 2048


class Recent(Generic[K, V]):
    """Values by key, each for `seconds` to twice that, and at most twice `limit` of them: the oldest half
    goes first. Empty when nothing comes. Use it inside a running event loop."""

    __slots__ = ("_limit", "_new", "_old", "_seconds", "_timer")

    def __init__(self, limit: int = LIMIT, seconds: float = SECONDS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def get(self, key: K) -> V | None:
        """What was put under a key lately."""
        found = self._new.get(key)
        return self._old.get(key) if found is None else found

    def put(self, key: K, value: V) -> None:
        """Remember a value for a while."""
        if len(self._new) >= self._limit:
            self._turn()
        self._new[key] = value
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._tick)

    def _turn(self) -> None:
        self._old, self._new = self._new, {}

    def _tick(self) -> None:
        self._timer = None
        self._turn()
        if self._old:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._tick)
