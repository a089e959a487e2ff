"""The small parts: the lock, key rotation, and what systemd is told."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from bridge.app import keys, systemd
from bridge.app.lock import Locked, locked
from bridge.store.engine import Store
from bridge.store.errors import VaultError
from bridge.store.registrations import Registration
from bridge.store.vault import Vault
from tests.app.support import HEAD, good

REGISTERED = Registration("irc.example.com", "a@b", "net", {}, {"password": "hunter2"})


def test_one_process_for_one_folder(tmp_path: Path) -> None:
    said = pytest.raises(Locked, match=rf"a bridge \(process {os.getpid()}\) is using .*stop it first")
    with locked(tmp_path / "data"), said, locked(tmp_path / "data"):
        pass
    with locked(tmp_path / "data"):
        pass


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Locked, match="can't be written"), locked(tmp_path / "file" / "data"):
        pass


async def test_rotation_puts_every_secret_under_a_new_key(tmp_path: Path) -> None:
    config = good(tmp_path, f'data_dir = "data"\n{HEAD}')
    url = config.store_url
    store = await Store.open(url, Vault.from_file(config.key_file, create=True))
    await store.registrations.put(REGISTERED)
    await store.close()
    [old] = keys.read_keys(config.key_file)

    assert "1 rows are encrypted with it; 1 old keys are kept" in await keys.rotate(config, forget_old=False)
    assert keys.read_keys(config.key_file)[1:] == [old]
    assert "1 rows are encrypted with it; 0 old keys" in await keys.rotate(config, forget_old=True)
    assert len(keys.read_keys(config.key_file)) == 1
    assert config.key_file.stat().st_mode & 0o777 == 0o600

    store = await Store.open(url, Vault.from_file(config.key_file))
    [row] = await store.registrations.list("irc.example.com")
    assert row.secrets == {"password": "hunter2"}
    await store.close()


async def test_no_rotation_while_a_bridge_runs(tmp_path: Path) -> None:
    config = good(tmp_path, f'data_dir = "data"\n{HEAD}')
    with locked(config.data_dir), pytest.raises(Locked, match="stop it first"):
        await keys.rotate(config, forget_old=False)
    assert keys.read_keys(config.key_file) == []


async def test_no_rotation_without_the_old_key(tmp_path: Path) -> None:
    config = good(tmp_path, f'data_dir = "data"\n{HEAD}')
    store = await Store.open(config.store_url, Vault.from_file(config.key_file, create=True))
    await store.registrations.put(REGISTERED)
    await store.close()
    before = config.key_file.read_bytes()
    config.key_file.unlink()
    with pytest.raises(VaultError, match="restore it from a backup"):
        await keys.rotate(config, forget_old=True)
    assert not config.key_file.exists()
    keys.write_keys(config.key_file, [before.strip()])
    assert "1 rows" in await keys.rotate(config, forget_old=True)


def _listening(path: str) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("\0" + path[1:] if path.startswith("@") else path)
    return receiver


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_systemd_hears_of_us(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "notify") if kind == "file" else f"@{tmp_path}"
    with _listening(path) as receiver:
        systemd.notify("READY=1", {"NOTIFY_SOCKET": path})
        assert receiver.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    systemd.notify("READY=1", {})
    systemd.notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})


async def test_the_watchdog_is_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with _listening(path) as receiver:
        receiver.setblocking(False)
        environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())}
        keeping = asyncio.create_task(systemd.keep_watchdog(environ))
        for _ in range(2):
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().sock_recv(receiver, 100) == b"WATCHDOG=1"
        keeping.cancel()
        await asyncio.wait({keeping})


async def test_no_watchdog_that_is_not_ours() -> None:
    await systemd.keep_watchdog({})
    await systemd.keep_watchdog({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"})
