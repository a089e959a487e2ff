"""Secrets under a key that nobody has are counted, and given up, in both databases."""

from __future__ import annotations

from bridge.store import lost_keys
from bridge.store.registrations import Registration
from bridge.store.vault import Vault, generate_key
from tests.store.conftest import Opener


async def test_they_are_counted_and_given_up(open_store: Opener, url: str, vault: Vault) -> None:
    store = await open_store()
    await store.registrations.put(Registration("gw", "a@b", "net", {}, {"password": "hunter2"}))
    await store.registrations.put(Registration("gw", "c@d", "net", {}, {}))
    other = Vault([generate_key()])
    assert lost_keys.unreadable(url, vault) == 0
    assert (lost_keys.unreadable(url, other), lost_keys.unreadable(url, None)) == (1, 1)
    assert lost_keys.give_up(url, other) == 1
    assert (lost_keys.unreadable(url, other), lost_keys.unreadable(url, None)) == (0, 0)
    first, second = await store.registrations.list("gw")
    assert (first.locked, second.locked) == (True, False)


def test_an_empty_database_has_none(empty_url: str) -> None:
    assert lost_keys.unreadable(empty_url, None) == 0
