"""Addresses, options, forms, and what is said of registrations that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.email import address, backend, forms, options, signup
from backends.email.options import Options, host_and_port
from backends.email.values import Security, Server
from bridge.api import (
    BadAddress,
    ContactAddress,
    ContactId,
    FieldKind,
    NetworkAddress,
    NetworkId,
    RegistrationRefused,
)
from bridge.testing.fake_host import FakeHost

BOTH = Options(
    domain="chat.example.org",
    lmtp_listen="127.0.0.1:24",
    smarthost="localhost",
    postmaster="admin@chat.example.org",
)
NO_DOMAIN = Options()
NO_MAILBOXES = Options(
    mailboxes=False, domain="chat.example.org", lmtp_listen="127.0.0.1:24", smarthost="localhost"
)


@pytest.mark.parametrize(
    ("local", "contact"),
    [
        ("alice@example.org", "alice@example.org"),
        ("alice%example.org", "alice@example.org"),
        ("a%b%example.org", "a%b@example.org"),
        ("a%b@example.org", "a%b@example.org"),
        ("o'hara+tag@example.org", "o'hara+tag@example.org"),
        ("käthe@bücher.example", "käthe@bücher.example"),
    ],
)
def test_local_parts_that_stand_for_an_address(local: str, contact: str) -> None:
    found = address.parse(local)
    assert found == ContactAddress(NetworkId(""), ContactId(contact))
    assert address.parse(address.format_(found)) == found


@pytest.mark.parametrize(
    "local",
    ["", "@", "%", "alice", "alice@", "@example.org", "a b@example.org", "a@b@example.org",
     "a\r\n@example.org", "a@exa mple.org", "a,b@example.org", "<a@example.org>", "a@" + "b" * 260,
     "ä" * 40 + "@example.org"],
)  # fmt: skip
def test_local_parts_that_stand_for_nothing(local: str) -> None:
    with pytest.raises(BadAddress, match="is not a mail address"):
        address.parse(local)


def test_the_gateway_itself_has_no_local_part() -> None:
    assert address.format_(NetworkAddress(NetworkId(""))) == ""


@pytest.mark.parametrize(
    "typed",
    [
        "alice@example.org",
        " Alice@Example.ORG ",
        "Alice <alice@example.org>",
        '"Liddell, Alice" <Alice@example.org>',
        "mailto:alice@example.org?subject=Tea",
        "MAILTO:alice@example.org",
        "<alice@example.org>",
    ],
)
def test_what_is_typed_into_the_prompt(typed: str) -> None:
    assert address.format_(address.from_prompt(typed)) == "alice@example.org"


@pytest.mark.parametrize("typed", ["", "Alice", "Alice <alice>", "a@x.org, b@x.org", "<", "mailto:"])
def test_what_is_typed_and_is_no_address(typed: str) -> None:
    with pytest.raises(BadAddress):
        address.from_prompt(typed)


@pytest.mark.parametrize(
    ("mistake", "named"),
    [
        ({"mailboxes": False}, "mailboxes, domain"),
        ({"smtp_listen": "127.0.0.1:25"}, "domain"),
        ({"domain": "chat.example.org"}, "smtp_listen, lmtp_listen"),
        ({"domain": "chat.example.org", "lmtp_listen": "127.0.0.1:24"}, "smarthost"),
        ({"domain": "Chat.example.org", "base": BOTH}, "domain"),
        ({"domain": "chat", "base": BOTH}, "domain"),
        ({"lmtp_listen": "24", "base": BOTH}, "lmtp_listen"),
        ({"smtp_listen": "127.0.0.1:0", "base": BOTH}, "smtp_listen"),
        ({"smtp_listen": "127.0.0.1:0000251111", "base": BOTH}, "smtp_listen"),
        ({"smarthost": "mail:x", "base": BOTH}, "smarthost"),
        ({"smarthost_password_file": "/nowhere/at/all", "base": BOTH}, "smarthost_password_file"),
        ({"ca_file": "/nowhere/at/all"}, "ca_file"),
        ({"key_file": __file__}, "cert_file"),
        ({"spool": __file__}, "spool"),
        ({"listen_from": ("10.0.0.1/8",)}, "listen_from"),
        ({"listen_from": ("everybody",)}, "listen_from"),
        ({"postmaster": "admin@example.org", "base": BOTH}, "postmaster"),
        ({"max_attachment": 0}, "max_mail, max_attachment"),
        ({"max_attachment": 30, "max_mail": 20}, "max_mail, max_attachment"),
        ({"poll": 0.0}, "idle, poll"),
        ({"mails_per_hour": -1}, "mails_per_hour"),
    ],
)  # fmt: skip
def test_mistakes_in_the_options_are_named(mistake: dict[str, Any], named: str) -> None:
    base = mistake.get("base", Options())
    changed = {name: value for name, value in mistake.items() if name != "base"}
    with pytest.raises(ValueError, match=f"^{named}:"):
        backend.create(msgspec.structs.replace(base, **changed))


def test_hosts_and_ports() -> None:
    assert host_and_port("x", "mail.example.org:25") == ("mail.example.org", 25)
    assert host_and_port("x", "mail.example.org", 587) == ("mail.example.org", 587)
    assert host_and_port("x", "[::1]:25") == ("::1", 25)
    assert host_and_port("x", "[::1]", 587) == ("::1", 587)


def test_the_smarthost(tmp_path: Path) -> None:
    assert BOTH.smarthost_server() == Server("localhost", 587, Security.STARTTLS)
    file = tmp_path / "password"
    file.write_text("secret\nmore\n")
    assert options.read_password(Options(smarthost_password_file=str(file))) == "secret"
    assert options.read_password(Options()) == ""


def test_the_form_asks_for_what_is_needed() -> None:
    names = {
        kind: [field.name for field in forms.form(kind, {}).fields]
        for kind in (BOTH, NO_DOMAIN, NO_MAILBOXES)
    }
    assert names[NO_MAILBOXES] == ["email", "name"]
    assert names[BOTH] == names[NO_DOMAIN]
    assert set(names[BOTH]) > {"email", "password", "name", "imap_server", "smtp_server", "backfill"}
    filled = forms.form(BOTH, {"email": "a@example.org", "password": "secret"})
    assert {field.name: field.default for field in filled.fields if field.default} == {
        "email": "a@example.org"
    }
    assert [field.name for field in filled.fields if field.kind is FieldKind.SECRET] == ["password"]


def test_servers_are_kept_as_one_line() -> None:
    server = Server("mail.example.org", 143, Security.STARTTLS)
    kept = {"imap": forms.stored(server), "smtp": forms.stored(Server("::1", 465))}
    assert forms.stored_servers(kept) == (server, Server("::1", 465, Security.TLS))


async def judged(options: Options, **values: str) -> dict[str, str]:
    """What is kept of a registration."""
    return dict(await signup.SignUp(options, FakeHost()).judge(values))


async def test_an_address_of_ours_is_claimed() -> None:
    kept = await judged(BOTH, email=" mailto:Alice.L@Chat.Example.org", name="Alice", password="not kept")
    assert kept == {"kind": "domain", "email": "alice.l@chat.example.org", "name": "Alice"}
    server = backend.create(BOTH)
    assert server.claims(NetworkId(""), kept) == ("alice.l@chat.example.org",)
    assert server.claims(NetworkId(""), {"kind": "mailbox", "email": "alice@example.org"}) == ()
    assert (await judged(BOTH, email=BOTH.postmaster))["email"] == BOTH.postmaster


@pytest.mark.parametrize(
    ("options", "values", "field", "text"),
    [
        (BOTH, {}, "email", "is not a mail address"),
        (BOTH, {"email": "alice"}, "email", "is not a mail address"),
        (BOTH, {"email": "käthe@example.org", "password": "x"}, "email", "is not a mail address"),
        (BOTH, {"email": "a@x.org, b@x.org"}, "email", "is not a mail address"),
        (BOTH, {"email": "a+b@chat.example.org"}, "email", "small letters"),
        (BOTH, {"email": "a..b@chat.example.org"}, "email", "small letters"),
        (BOTH, {"email": "-a@chat.example.org"}, "email", "small letters"),
        (BOTH, {"email": "abuse@chat.example.org"}, "email", "reserved"),
        (BOTH, {"email": "postmaster@chat.example.org"}, "email", "reserved"),
        (BOTH, {"email": "a@example.org"}, "password", "password is missing"),
        (BOTH, {"email": "a@chat.example.org", "name": "A\r\nBcc: b@x.org"}, "name", "one line"),
        (BOTH, {"email": "a@example.org", "password": "x\n"}, "password", "one line"),
        (NO_MAILBOXES, {"email": "a@example.org"}, "email", "at chat.example.org"),
        *(
            (
                BOTH,
                {"email": "a@example.org", "password": "x", "backfill": backfill},
                "backfill",
                "from 0 to 500",
            )
            for backfill in ("many", "-1", "501", "٣", "0000001000000", "1.5")
        ),
        *(
            (
                BOTH,
                {"email": "a@example.org", "password": "x", "imap_server": server},
                "imap_server",
                "A server is",
            )
            for server in (":993", "mail:0", "mail:99999", "mail:00993111")
        ),
    ],
)
async def test_registrations_that_are_refused(
    options: Options, values: dict[str, str], field: str, text: str
) -> None:
    with pytest.raises(RegistrationRefused, match=text) as refused:
        await judged(options, **values)
    assert refused.value.field == field
