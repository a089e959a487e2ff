"""Reads secrets from files, and refuses files that others could read as well."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS = stat.S_IROTH | stat.S_IWOTH
_LIMIT = 64 * 1024


class SecretFileError(Exception):
    """A secret file can't be used. The text says why and what to do, and never holds what is in the file."""


class FileFolder:
    """The folder where relative paths start (that of the configuration file)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The path meant by `name`: `~` and `$CREDENTIALS_DIRECTORY` and the like are filled in."""
        return self.folder / os.path.expandvars(Path(name).expanduser())

    def read_secret(self, name: str) -> str:
        """The first and only line of a secret file. Raises SecretFileError."""
        path = self.path(name)
        # Somebody may have written the secret itself where its file's path belongs.
        called = str(path) if "/" in name or "." in name else f"the file named here, in {path.parent}"
        try:
            mode = path.stat().st_mode
            # Looked at before it is opened: opening a pipe would wait for its writer.
            if not stat.S_ISREG(mode):
                raise SecretFileError(f"expected a file with the secret, found a folder or device: {called}")
            with path.open("rb") as file:
                raw = file.read(_LIMIT)
        except FileNotFoundError:
            raise SecretFileError(f"expected a file with the secret, found no file: {called}") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a possible path"
            raise SecretFileError(f"expected a readable file, found: {reason}: {called}") from None
        if mode & OTHERS:
            raise SecretFileError(
                f"expected a file that only its owner can read, found one open to everybody: {called} "
                f"(chmod 600 mends it)"
            )
        return _one_line(raw, called)


def _one_line(raw: bytes, called: str) -> str:
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        raise SecretFileError(f"expected a text in UTF-8, found other bytes in {called}") from None
    if not text:
        raise SecretFileError(f"expected a secret, found an empty file: {called}")
    if "\n" in text:
        raise SecretFileError(f"expected one line, found several in {called}")
    return text
