"""Secrets at rest: encrypted with keys that lie outside the database, and bound to the row they belong to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bridge.store.errors import VaultError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_KEY_ID_CHARACTERS = 16

LOST = b"lost:"
"""Stands where a secret was whose key is gone; no key opens it."""


class _Secret(msgspec.Struct):
    context: str
    values: dict[str, str]


class Vault:
    """Encrypts with the first key, decrypts with any of them (cryptography's Fernet: AES-CBC and HMAC).

    A blob is `KEYID:TOKEN`. The key id is a hash of the key, so rows under an old key can be found. The
    context (which row it is) lies inside the token, so a blob copied to another row is refused.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` as `generate_key` makes them, newest first. Raises VaultError for none, or a bad one."""
        if not keys:
            raise VaultError("the vault has no key; `xmpp-bridge rotate-keys` makes one")
        self._keys = {_key_id(key): key for key in map(_checked, keys)}
        self._first = next(iter(self._keys))
        self._ciphers: dict[str, Fernet] = {}

    def __repr__(self) -> str:
        return f"<Vault of {len(self._keys)} keys>"

    @classmethod
    def from_file(cls, path: str | Path, *, create: bool = False) -> Vault:
        """Read a key file: one key a line, the first encrypts; empty and `#` lines are skipped.

        `create`: make the file, with a new key, when there is none. Raises VaultError when the file is
        missing, can be read by others, or holds something else than keys.
        """
        path = Path(path)
        if create and not path.exists():
            _create(path)
        lines = [line.strip() for line in _read_private(path).splitlines()]
        keys = [line for line in lines if line and not line.startswith(b"#")]
        try:
            return cls(keys)
        except VaultError as error:
            raise VaultError(f"key file {path}: {error}") from None

    def encrypt(self, context: str, values: Mapping[str, str]) -> bytes:
        """A blob that only `decrypt` with the same context gives back. No values: an empty blob."""
        if not values:
            return b""
        plain = msgspec.msgpack.encode(_Secret(context, dict(values)))
        return self._first.encode() + b":" + self._cipher(self._first).encrypt(plain)

    def decrypt(self, context: str, blob: bytes) -> dict[str, str]:
        """Raises VaultError when the key is not in the file, or the blob was altered or is another row's."""
        if not blob:
            return {}
        from cryptography.fernet import InvalidToken

        key_id, _, token = blob.partition(b":")
        name = key_id.decode("ascii", "replace")
        if name not in self._keys:
            raise VaultError("a secret was encrypted with a key that is not in the key file")
        try:
            secret = msgspec.msgpack.decode(self._cipher(name).decrypt(token), type=_Secret)
        except (InvalidToken, msgspec.MsgspecError):
            raise VaultError("a secret in the database is damaged or was altered") from None
        if secret.context != context:
            raise VaultError("a secret in the database belongs to another row")
        return secret.values

    @property
    def prefix(self) -> bytes:
        """What every blob under the first key begins with; `rotate` looks for those that do not."""
        return self._first.encode() + b":"

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """What the blobs begin with that one of the keys opens."""
        return tuple(key_id.encode() + b":" for key_id in self._keys)

    def _cipher(self, key_id: str) -> Fernet:
        if key_id not in self._ciphers:
            from cryptography.fernet import Fernet

            self._ciphers[key_id] = Fernet(self._keys[key_id])
        return self._ciphers[key_id]


def generate_key() -> bytes:
    """A new key, as it stands on a line of the key file."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32))


def context(*parts: str) -> str:
    """Names a row for the vault so that no two rows share a name."""
    return msgspec.json.encode(parts).decode()


def _checked(key: bytes) -> bytes:
    try:
        if len(base64.b64decode(key, altchars=b"-_", validate=True)) == 32:
            return key
    except ValueError:
        pass
    raise VaultError("a key must be 32 bytes in URL-safe base64 (44 characters)")


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"xmpp-bridge key id:" + key).hexdigest()[:_KEY_ID_CHARACTERS]


def _create(path: Path) -> None:
    """Write the file beside its place and link it there: complete or not at all, and never over another's."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(generate_key() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    except OSError as error:
        raise VaultError(f"key file {path} can't be created: {error.strerror}") from error


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise VaultError(f"key file {path} can be read by others; do: chmod 600 {path}")
            return file.read()
    except FileNotFoundError:
        raise VaultError(
            f"key file {path} is missing; restore it: without it the stored passwords are lost"
        ) from None
    except OSError as error:
        raise VaultError(f"key file {path} can't be read: {error.strerror}") from error
