"""A database whose key file is gone is not served with a new key, unless its administrator says so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.app import keys
from bridge.app.cli import main
from bridge.app.config import Config
from bridge.store.engine import Store
from bridge.store.errors import VaultError
from bridge.store.kept_rooms import KeptRoom
from bridge.store.registrations import Registration
from bridge.store.vault import Vault, generate_key
from tests.app.support import HEAD, good
from tests.peers.bridge import ROOT, Bridge, BridgeSetup
from tests.peers.daemon import running
from tests.peers.prosody import Prosody

REGISTERED = Registration("irc.example.com", "a@b", "net", {"nick": "al"}, {"password": "hunter2"})
OPEN = Registration("irc.example.com", "c@d", "net", {}, {})
KEPT = KeptRoom("irc.example.com", "a@b", "net", "#room", "al", "opensesame")


async def filled(config: Config) -> None:
    """A database with two secrets under the key file's key, which is made."""
    store = await Store.open(config.store_url, Vault.from_file(config.key_file, create=True))
    await store.registrations.put(REGISTERED)
    await store.registrations.put(OPEN)
    await store.kept_rooms.put(KEPT)
    await store.close()


@pytest.fixture
async def config(tmp_path: Path) -> Config:
    config = good(tmp_path, f'data_dir = "data"\n{HEAD}')
    config.data_dir.mkdir()
    await filled(config)
    return config


def lose(config: Config, another: bool) -> None:
    config.key_file.unlink()
    if another:
        config.key_file.write_bytes(generate_key() + b"\n")
        config.key_file.chmod(0o600)


def test_all_is_well_with_the_key_and_with_an_older_one_beside_it(config: Config) -> None:
    assert keys.stored_problem(config) is None
    keys.write_keys(config.key_file, [generate_key(), *keys.read_keys(config.key_file)])
    assert keys.stored_problem(config) is None


@pytest.mark.parametrize("another", [False, True], ids=["missing", "another"])
def test_what_the_key_does_not_open_is_told(config: Config, another: bool) -> None:
    lose(config, another)
    with pytest.raises(VaultError) as raised:
        keys.check_stored(config, accept_loss=False)
    text = str(raised.value)
    assert text.startswith(f"key file {config.key_file} {'does not open' if another else 'is missing'}")
    assert "(2 rows): restore it from a backup" in text
    assert "xmpp-bridge run --new-key" in text
    assert config.key_file.exists() == another
    found = CliRunner().invoke(main, ["check", "--offline", "-c", str(config.file)])
    assert found.exit_code == 1
    assert f"bad   passwords: {text}" in found.output


@pytest.mark.parametrize("another", [False, True], ids=["missing", "another"])
async def test_the_loss_can_be_accepted(config: Config, another: bool) -> None:
    lose(config, another)
    keys.check_stored(config, accept_loss=True)
    assert keys.stored_problem(config) is None
    store = await Store.open(config.store_url, Vault.from_file(config.key_file))
    registered, unlocked = await store.registrations.list("irc.example.com")
    [kept] = await store.kept_rooms.list("irc.example.com")
    assert (registered.locked, registered.settings) == (True, {"nick": "al"})
    assert not unlocked.locked
    assert kept.locked
    await store.close()
    # A lost row is no obstacle to later rotations.
    assert "0 rows are encrypted" in await keys.rotate(config, forget_old=True)
    assert keys.stored_problem(config) is None


async def test_the_process_does_not_start_with_a_new_key(prosody: Prosody, tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, prosody, BridgeSetup(networks=""))
    with running(bridge):
        pass
    key = tmp_path / "vault.key"
    store = await Store.open(f"sqlite:///{tmp_path}/bridge.db", Vault.from_file(key))
    await store.registrations.put(REGISTERED)
    await store.close()
    key.unlink()
    command = [sys.executable, "-m", "bridge", "run", "-c", str(bridge.config_file)]
    refused = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(f"key file {key} is missing")
    assert "Traceback" not in refused.stderr
    assert not key.exists()
    bridge.command = lambda: [*command, "--new-key"]  # type: ignore[method-assign]
    with running(bridge):
        assert key.exists()
        assert "gave up stored passwords whose key is lost" in bridge.log_text()
