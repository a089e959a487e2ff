from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.store.conftest import Opener


async def test_what_was_acknowledged_survives_a_kill(url: str, open_store: Opener) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.crasher", url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    with child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(500)]
        child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]

    store = await open_store()
    received = {int(row.stanza_id) for row in await store.inbox.pending("g")}
    sent = {int(row.stanza_id): row for row in await store.outbox.pending("g")}
    assert set(acknowledged) <= received
    assert set(acknowledged) <= set(sent)
    for number in acknowledged:
        assert sent[number].trying == (number % 3 == 0)
        assert sent[number].attempts == (number % 3 == 0)
    for last_digit in range(10):
        newest = max(number for number in received if number % 10 == last_digit)
        assert await store.cursors.get("a", f"cursor{last_digit}") == str(newest), "event and cursor are one"
    assert await store.inbox.put("g", "a", "c", str(acknowledged[0]), "s", b"x") is None
