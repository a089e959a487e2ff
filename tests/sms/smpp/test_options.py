"""What the admin may set, and what is said of what cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.sms.smpp.carrier import SmppCarrier
from backends.sms.smpp.options import SmppOptions, check, read_password
from bridge.testing.fake_host import FakeHost
from tests.peers.tls import make_certificates


def made(**more: Any) -> SmppOptions:
    return SmppOptions(**{"host": "smsc.example.org", "system_id": "me", **more})


def test_they_are_told_by_their_carrier() -> None:
    told = {"carrier": "smpp", "host": "h", "system_id": "me", "tls": "off", "window": 3}
    found = msgspec.convert(told, SmppOptions)
    assert (found.host, found.window, found.tcp_port) == ("h", 3, 2775)
    assert made().tcp_port == 3550
    with pytest.raises(msgspec.ValidationError, match="unknown field `widnow`"):
        msgspec.convert({**told, "widnow": 1}, SmppOptions)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"host": " "}, "routes.main.host: must be set"),
        ({"system_id": ""}, "routes.main.system_id: must be set"),
        ({"system_id": "x" * 16}, "routes.main.system_id: at most 15 characters"),
        ({"system_id": "jürgen"}, "routes.main.system_id: expected ASCII"),
        ({"system_type": "x" * 13}, "routes.main.system_type: at most 12 characters"),
        ({"address_range": "x" * 41}, "routes.main.address_range: at most 40 characters"),
        ({"port": 70000}, "routes.main.port: expected 0 to 65535"),
        ({"window": 0}, "routes.main.window: expected 1 to 1000"),
        ({"rate": -1.0}, "routes.main.rate: expected 0 to 10000"),
        ({"enquire_seconds": 0.0}, "routes.main.enquire_seconds: expected 1 to 3600"),
        ({"response_seconds": 0.0}, "routes.main.response_seconds: expected 1 to 600"),
        ({"parts_seconds": 1.0}, "routes.main.parts_seconds: expected 10 to"),
        ({"validity_hours": 11000}, "routes.main.validity_hours: expected 0 to 10584"),
        ({"source_ton": 7}, "routes.main.source_ton: expected 0 to 6, or -1"),
        ({"source_npi": 2}, "routes.main.source_npi: expected one of 0, 1, 3"),
        ({"country": "XX"}, 'routes.main.country: expected one like "US"'),
        ({"ca_file": "/nowhere/ca.pem"}, "routes.main.ca_file: no such file"),
        ({"password_file": "/nowhere/password"}, "routes.main.password_file: .*No such file"),
    ],
)
def test_what_cannot_work_is_told_with_its_name(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check(made(**more), "main")


def test_the_files_are_read(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    password = tmp_path / "password"
    password.write_text("secret12\n")
    options = made(password_file=str(password), ca_file=str(certificates.ca_file))
    check(options, "main")
    assert read_password(options, "main") == "secret12"
    password.write_text("too long a password\n")
    with pytest.raises(ValueError, match=r"routes\.main\.password_file: a password has at most 8") as failed:
        check(options, "main")
    assert "too long a" not in str(failed.value)
    bad_ca = tmp_path / "bad.pem"
    bad_ca.write_text("no certificate")
    with pytest.raises(ValueError, match=r"routes\.main\.ca_file"):
        check(made(ca_file=str(bad_ca)), "main")


def test_the_password_is_in_no_repr(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret12")
    carrier = SmppCarrier("main", made(password_file=str(password)), FakeHost())
    assert "secret12" not in repr(carrier) + repr(made(password_file=str(password)))
