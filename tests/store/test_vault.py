from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.errors import VaultError
from bridge.store.vault import Vault, context, generate_key

OLD, NEW = generate_key(), generate_key()


@given(st.text(), st.dictionaries(st.text(), st.text(), min_size=1))
def test_round_trip(name: str, values: dict[str, str]) -> None:
    vault = Vault([NEW])
    blob = vault.encrypt(name, values)
    assert vault.decrypt(name, blob) == values


def test_nothing_to_hide_is_an_empty_blob() -> None:
    assert Vault([NEW]).encrypt("row", {}) == b""
    assert Vault([NEW]).decrypt("row", b"") == {}


def test_old_keys_decrypt_and_the_first_encrypts() -> None:
    blob = Vault([OLD]).encrypt("row", {"password": "p"})
    both = Vault([NEW, OLD])
    assert both.decrypt("row", blob) == {"password": "p"}
    assert not blob.startswith(both.prefix)
    fresh = both.encrypt("row", {"password": "p"})
    assert fresh.startswith(both.prefix)
    assert Vault([NEW]).decrypt("row", fresh) == {"password": "p"}


def test_a_missing_key_is_said() -> None:
    blob = Vault([OLD]).encrypt("row", {"password": "p"})
    with pytest.raises(VaultError, match="key that is not in the key file"):
        Vault([NEW]).decrypt("row", blob)


def test_another_rows_blob_is_refused() -> None:
    vault = Vault([NEW])
    blob = vault.encrypt(context("registration", "g", "romeo"), {"password": "p"})
    with pytest.raises(VaultError, match="belongs to another row"):
        vault.decrypt(context("registration", "g", "juliet"), blob)


def test_contexts_never_run_together() -> None:
    assert len({context("a", "b", "c"), context("ab", "c"), context("a", "bc"), context("a,b", "c")}) == 4


@given(st.integers(0, 200), st.integers(1, 255))
def test_an_altered_blob_is_refused(place: int, change: int) -> None:
    vault = Vault([NEW])
    blob = bytearray(vault.encrypt("row", {"password": "p"}))
    blob[place % len(blob)] ^= change
    try:
        found = vault.decrypt("row", bytes(blob))
    except VaultError:
        return
    assert found == {"password": "p"}, "base64 has bits that say nothing"


@pytest.mark.parametrize(
    "key",
    [b"short", b"", b"!" * 44, generate_key()[:-1], generate_key() + b"A"],
    ids=["short", "empty", "no base64", "cut", "too long"],
)
def test_a_bad_key_is_said_and_not_shown(key: bytes) -> None:
    with pytest.raises(VaultError, match="32 bytes") as error:
        Vault([key])
    assert not key or key.decode() not in str(error.value)


def test_a_vault_has_a_key() -> None:
    with pytest.raises(VaultError, match="no key"):
        Vault([])
    assert NEW.decode() not in repr(Vault([NEW]))


def test_a_new_key_file_is_for_us_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "keys"
    blob = Vault.from_file(path, create=True).encrypt("row", {"a": "b"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Vault.from_file(path, create=True).decrypt("row", blob) == {"a": "b"}
    assert [entry.name for entry in path.parent.iterdir()] == ["keys"]


def test_a_missing_key_file_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="missing"):
        Vault.from_file(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_bytes(NEW)
    path.chmod(mode)
    with pytest.raises(VaultError, match=f"chmod 600 {path}"):
        Vault.from_file(path)


def test_a_key_file_with_comments_and_several_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"# new\n" + NEW + b"\n\n# old\n" + OLD + b"\n")
    path.chmod(0o400)
    vault = Vault.from_file(path)
    assert vault.prefix == Vault([NEW]).prefix
    assert vault.decrypt("row", Vault([OLD]).encrypt("row", {"a": "b"})) == {"a": "b"}


def test_a_key_file_without_keys_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"# nothing\n")
    path.chmod(0o600)
    with pytest.raises(VaultError, match=str(path)):
        Vault.from_file(path)
    path.write_bytes(b"nonsense\n")
    with pytest.raises(VaultError, match=str(path)):
        Vault.from_file(path)
    with pytest.raises(VaultError, match="can't be read"):
        Vault.from_file(tmp_path / "keys" / "below")


def test_a_key_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError, match="can't be created"):
        Vault.from_file(tmp_path / "file" / "keys", create=True)
