"""The admin's options: what cannot work is refused by its name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from backends.sms.http.options import TwilioOptions, access, check

SID = "AC0123456789abcdef0123456789abcdef"


@pytest.fixture
def good(tmp_path: Path) -> TwilioOptions:
    (tmp_path / "token").write_text("t0ken\n# the rest is not read\n")
    (tmp_path / "key").write_text("PSK_1\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xff")
    return TwilioOptions(SID, str(tmp_path / "token"))


def test_good_options(good: TwilioOptions, tmp_path: Path) -> None:
    check(good, "us")
    assert access(good, "us").key == "t0ken"
    signalwire = replace(
        good, api="https://x.signalwire.com/api/laml/", signing_key_file=str(tmp_path / "key")
    )
    check(signalwire, "us-2_b")
    found = access(signalwire, "us-2_b")
    assert (found.api, found.token, found.key) == ("https://x.signalwire.com/api/laml", "t0ken", "PSK_1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account_sid": ""}, r"routes\.us\.account_sid"),
        ({"account_sid": "AC/../x012345"}, r"routes\.us\.account_sid"),
        ({"auth_token_file": "missing"}, r"routes\.us\.auth_token_file: .*No such file"),
        ({"auth_token_file": "empty"}, r"routes\.us\.auth_token_file: the file has no secret"),
        ({"auth_token_file": "latin"}, r"routes\.us\.auth_token_file: not UTF-8"),
        ({"signing_key_file": "missing"}, r"routes\.us\.signing_key_file"),
        ({"api": "http://api.twilio.com"}, r"routes\.us\.api"),
        ({"api": "api.twilio.com"}, r"routes\.us\.api"),
        ({"api": "https://u:p@api.twilio.com"}, r"routes\.us\.api"),
        ({"api": "https://api.twilio.com/?x"}, r"routes\.us\.api"),
        ({"max_in_flight": 0}, r"routes\.us\.max_in_flight"),
        ({"max_in_flight": 1001}, r"routes\.us\.max_in_flight"),
        ({"ca_file": "missing"}, r"routes\.us\.ca_file"),
    ],
)
def test_bad_options(good: TwilioOptions, tmp_path: Path, changes: dict[str, str], words: str) -> None:
    paths = {
        name: str(tmp_path / value) if name.endswith("_file") else value for name, value in changes.items()
    }
    with pytest.raises(ValueError, match=words):
        check(replace(good, **paths), "us")


@pytest.mark.parametrize("name", ["own", "US", "a b", "", "-x", "a/b", "x" * 33])
def test_bad_names(good: TwilioOptions, name: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        check(good, name)


def test_they_are_read_by_their_tag() -> None:
    raw = {"carrier": "twilio", "account_sid": SID, "auth_token_file": "/x"}
    assert msgspec.convert(raw, TwilioOptions) == TwilioOptions(SID, "/x")
    with pytest.raises(msgspec.ValidationError, match="carrier"):
        msgspec.convert({**raw, "carrier": "smpp"}, TwilioOptions)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({**raw, "colour": "red"}, TwilioOptions)
