"""Key rotation as an administrator sees it: a new key in the key file, and all stored secrets under it."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from bridge.app.config import Config
from bridge.app.lock import locked
from bridge.store import lost_keys
from bridge.store.engine import Store
from bridge.store.errors import VaultError
from bridge.store.vault import Vault, generate_key

log = logging.getLogger(__name__)


def check_stored(config: Config, accept_loss: bool) -> None:
    """See to it that the key file opens what the database holds, before anything else is encrypted.

    `accept_loss`: mark what it does not open as lost. Raises VaultError, StoreError."""
    text = stored_problem(config)
    if text is None:
        return
    if not accept_loss:
        raise VaultError(text)
    count = lost_keys.give_up(config.store_url, Vault.from_file(config.key_file, create=True))
    log.warning("gave up stored passwords whose key is lost", extra={"rows": count})


def stored_problem(config: Config) -> str | None:
    """What to tell where the database holds secrets that the key file does not open; None: it opens all.

    Raises VaultError, StoreError."""
    path, url = config.key_file, config.store_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return None
    there = path.exists()
    count = lost_keys.unreadable(url, Vault.from_file(path) if there else None)
    if not count:
        return None
    what = "does not open" if there else "is missing, and with it the key to"
    return (
        f"key file {path} {what} stored passwords ({count} rows): restore it from a backup. "
        f"If it is lost for good, `xmpp-bridge run --new-key` starts without them, "
        "and their owners have to register again"
    )


async def rotate(config: Config, forget_old: bool) -> str:
    """Add a key, encrypt everything with it, and say what was done. `forget_old` takes the other keys out of
    the file afterwards. Stopping halfway is harmless: do it again. Raises VaultError, StoreError, Locked."""
    with locked(config.data_dir):
        check_stored(config, accept_loss=False)
        old = read_keys(config.key_file)
        new = generate_key()
        write_keys(config.key_file, [new, *old])
        store = await Store.open(config.store_url, Vault.from_file(config.key_file))
        try:
            count = await store.rotate_secrets()
        finally:
            await store.close()
        if forget_old:
            write_keys(config.key_file, [new])
    kept = 0 if forget_old else len(old)
    return (
        f"a new key is in {config.key_file}; {count} rows are encrypted with it; "
        f"{kept} old keys are kept, for backups of the database"
    )


def read_keys(path: Path) -> list[bytes]:
    """The keys of a file, newest first; none if there is no file. Raises VaultError."""
    if not path.exists():
        return []
    Vault.from_file(path)
    lines = (line.strip() for line in path.read_bytes().splitlines())
    return [line for line in lines if line and not line.startswith(b"#")]


def write_keys(path: Path, keys: list[bytes]) -> None:
    """Replace a key file as a whole: a crash leaves the old one or the new one. Raises VaultError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(b"".join(key + b"\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise VaultError(f"key file {path} can't be written: {error.strerror}") from error
