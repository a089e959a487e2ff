"""Run by test_crash in a process of its own: puts messages for ever and prints each that was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import sys

from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key


async def main(url: str) -> None:
    store = await Store.open(url, Vault([generate_key()]))
    lock = asyncio.Lock()

    async def put(number: int) -> None:
        dedupe = str(number)
        received = store.inbox.put(
            "g", "a", "c", dedupe, dedupe, b"x" * 100, (f"cursor{number % 10}", dedupe)
        )
        sent = store.outbox.put("g", "a", "c", dedupe, b"x" * 100, "", dedupe)
        row_id = await sent
        await received
        if number % 3 == 0 and row_id is not None:
            await store.outbox.attempt(row_id)
        async with lock:
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    for start in itertools.count(0, 10):
        await asyncio.gather(*(put(start + number) for number in range(10)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
