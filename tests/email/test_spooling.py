"""The folder for mails under way, and what a bridge that was killed left in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.email import spooling


def old(path: Path) -> Path:
    """Make it from before this process."""
    os.utime(path, (1000, 1000))
    return path


def test_what_was_left_is_removed_and_what_is_under_way_stays(tmp_path: Path) -> None:
    (tmp_path / "mail-left").mkdir()
    (tmp_path / "mail-left" / "file").write_text("somebody's mail")
    left = [old(tmp_path / "mail-left"), tmp_path / "sent-left.eml"]
    left[1].write_text("a copy")
    old(left[1])
    (tmp_path / "mail-now").mkdir()
    (tmp_path / "notes.txt").write_text("not ours")
    old(tmp_path / "notes.txt")
    spooling.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail-now", "notes.txt"]


def test_temporary_folders_of_the_dead_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling.tempfile, "tempdir", str(tmp_path))
    dead = spooling.open_spool("")
    (dead / ".in-use").write_text("")
    old(dead)
    mine = spooling.open_spool("")
    spooling.clear(mine)
    assert not dead.exists()
    other = spooling.open_spool("")
    spooling.clear(other)
    assert mine.is_dir()
    spooling.close_spool(mine)
    spooling.close_spool(other)
    assert not list(tmp_path.iterdir())
