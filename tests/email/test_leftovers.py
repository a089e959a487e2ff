"""What a crash left in the spool goes at the next start; what is in use stays."""

from __future__ import annotations

import os
from pathlib import Path

from backends.email import leftovers
from backends.email.backend import EmailBackend
from backends.email.options import Options


def test_only_what_is_old_and_ours_goes(tmp_path: Path) -> None:
    for name in ("mail-old", "out-old", "mail-new", "in-account"):
        (tmp_path / name).mkdir()
    for name in ("incoming-old", "sent-old.eml", "sent-new.eml", "mail-old/part", "note.txt"):
        (tmp_path / name).write_text("x")
    for path in tmp_path.iterdir():
        if "old" in path.name:
            os.utime(path, (1000, 1000))
    leftovers.clear(tmp_path, 2000)
    assert {path.name for path in tmp_path.iterdir()} == {
        "mail-new",
        "sent-new.eml",
        "note.txt",
        "in-account",
    }


def test_the_folder_is_made(tmp_path: Path) -> None:
    leftovers.clear(tmp_path / "spool", 0)
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_a_temporary_folder_goes_with_its_backend() -> None:
    backend = EmailBackend(Options())
    folder = backend._tools.spool
    assert folder.is_dir()
    (folder / "mail").write_text("private")
    del backend
    assert not folder.exists()
