"""Addresses, prompts, names, registration forms and options: what the backend says without a connection."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.irc import Options, create, forms
from backends.irc.address import AddressBook
from backends.irc.dial import Attempt, plan_for
from backends.irc.options import NetworkOptions
from bridge.api import (
    Address,
    BadAddress,
    ContactAddress,
    ContactId,
    NetworkAddress,
    NetworkId,
    RegistrationRefused,
    RoomAddress,
    RoomId,
)

IRC = NetworkId("irc.ex")
NONE = NetworkId("")
OPEN = create(Options())
FIXED = create(Options(fixed_server="irc.ex"))


def room(name: str, network: NetworkId = IRC) -> Address:
    return RoomAddress(network, RoomId(name))


def contact(name: str, network: NetworkId = IRC) -> Address:
    return ContactAddress(network, ContactId(name))


@pytest.mark.parametrize(
    ("local", "address"),
    [
        ("#c%irc.ex", room("#c")),
        ("&c%irc.ex", room("&c")),
        ("nick%irc.ex", contact("nick")),
        ("[x]\\^%irc.ex", contact("[x]\\^")),
        ("#b@foot/é%irc.ex", room("#b@foot/é")),
        ("irc.ex", NetworkAddress(IRC)),
        ("#c%localhost", room("#c", NetworkId("localhost"))),
        ("#c%::1", room("#c", NetworkId("::1"))),
    ],
)
def test_addresses(local: str, address: Address) -> None:
    assert OPEN.parse_address(local) == address
    assert OPEN.format_address(address) == local


@pytest.mark.parametrize(
    "local", ["#c", "&c", "%irc.ex", "#c%", "#c%x%irc.ex", "a b%irc.ex", "a,b%irc.ex", "a%bad_host", "",
              "a\nb%x", ":x%irc.ex", "a b"],
)  # fmt: skip
def test_what_stands_for_nothing(local: str) -> None:
    with pytest.raises(BadAddress):
        OPEN.parse_address(local)


@pytest.mark.parametrize(
    ("local", "address"),
    [("#c", room("#c", NONE)), ("nick", contact("nick", NONE)), ("#c%x", room("#c%x", NONE)),
     ("", NetworkAddress(NONE)), ("irc.ex", contact("irc.ex", NONE))],
)  # fmt: skip
def test_addresses_of_a_fixed_server(local: str, address: Address) -> None:
    assert FIXED.parse_address(local) == address
    assert FIXED.format_address(address) == local


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_addresses_there_and_back(local: str) -> None:
    for backend in (OPEN, FIXED):
        try:
            address = backend.parse_address(local)
        except BadAddress:
            continue
        assert backend.format_address(address) == local


def test_a_network_may_name_its_channels_otherwise() -> None:
    book = AddressBook(Options())
    assert book.parse("!c%irc.ex") == contact("!c")
    book.learn(IRC, "#!")
    assert book.parse("!c%irc.ex") == room("!c")
    assert book.parse("&c%irc.ex") == contact("&c")
    assert book.parse("!c%other.ex") == contact("!c", NetworkId("other.ex"))
    book.learn(IRC, "#&")
    assert book.parse("!c%irc.ex") == contact("!c")


def test_only_configured_networks() -> None:
    book = AddressBook(
        Options(networks={"libera": NetworkOptions(host="irc.libera.chat")}, only_configured=True)
    )
    assert book.parse("#c%libera") == room("#c", NetworkId("libera"))
    with pytest.raises(BadAddress, match=r"does not serve irc\.ex"):
        book.parse("#c%irc.ex")


@pytest.mark.parametrize(
    ("typed", "address"),
    [(" Nick%irc.ex ", contact("nick")), ("nick@IRC.ex", contact("nick")), ("#Chan%irc.ex", room("#chan"))],
)
def test_what_is_typed_into_the_prompt(typed: str, address: Address) -> None:
    assert OPEN.contact_from_prompt(typed, {}) == address


@pytest.mark.parametrize("typed", ["", "irc.ex", "a b"])
def test_what_the_prompt_does_not_take(typed: str) -> None:
    with pytest.raises(BadAddress):
        OPEN.contact_from_prompt(typed, {})


def test_names_for_people() -> None:
    addresses = (room("#c"), contact("nick"), NetworkAddress(IRC))
    assert [OPEN.display_name(each) for each in addresses] == ["#c on irc.ex", "nick", "IRC server irc.ex"]
    assert FIXED.display_name(room("#c", NONE)) == "#c on irc.ex"


def fields(options: Options, network: str) -> list[str]:
    return [field.name for field in create(options).registration(NetworkId(network), {}).fields]


def test_forms() -> None:
    login = ["nick", "realname", "username", "password", "pass"]
    assert fields(Options(), "") == ["nick", "realname"]
    assert fields(Options(), "irc.ex") == [*login, "server", "port", "tls"]
    assert fields(Options(networks={"irc.ex": NetworkOptions()}), "irc.ex") == login
    assert fields(Options(fixed_server="irc.ex"), "") == login
    filled = OPEN.registration(IRC, {"nick": "al", "password": "secret", "tls": "off"})
    values = {field.name: field.default for field in filled.fields}
    assert (values["nick"], values["password"], values["tls"]) == ("al", "", "off")


def test_what_is_kept_of_a_registration() -> None:
    given_values = {"nick": " al ", "server": "IRC.Other.ex", "port": "7000", "tls": "off", "unasked": "x",
                    "password": " kept as it is ", "realname": ""}  # fmt: skip
    assert forms.check(Options(), IRC, given_values) == {
        "nick": "al", "server": "irc.other.ex", "port": "7000", "tls": "off", "password": " kept as it is ",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [("nick", "a b"), ("nick", "1x"), ("nick", "x\nQUIT"), ("username", "a b"), ("server", "not a host"),
     ("server", "x/y"), ("port", "0"), ("port", "65536"), ("port", "x"), ("port", "99999999999999999999"),
     ("tls", "maybe"), ("realname", "a\nb"), ("password", "a\0b")],
)  # fmt: skip
def test_what_a_registration_does_not_take(field: str, value: str) -> None:
    with pytest.raises(RegistrationRefused) as caught:
        forms.check(Options(), IRC, {field: value})
    assert caught.value.field == field


TLS = Attempt(6697, True), Attempt(6670, True)
PLAIN = Attempt(6667, False)


@pytest.mark.parametrize(
    ("options", "settings", "host", "attempts"),
    [
        (Options(), {}, "irc.ex", TLS),
        (Options(), {"tls": "optional"}, "irc.ex", (*TLS, PLAIN)),
        (Options(), {"tls": "off"}, "irc.ex", (PLAIN,)),
        (Options(), {"tls": "nonsense"}, "irc.ex", TLS),
        (Options(), {"server": "b.ex", "port": "7000"}, "b.ex", (Attempt(7000, True),)),
        (Options(), {"port": "7000", "tls": "optional"}, "irc.ex",
         (Attempt(7000, True), Attempt(7000, False))),
        (Options(networks={"irc.ex": NetworkOptions(host="a.ex", port=7, tls="off")}), {}, "a.ex",
         (Attempt(7, False),)),
        (Options(fixed_server="f.ex"), {"server": "b.ex", "port": "7", "tls": "off"}, "f.ex", TLS),
    ],
)  # fmt: skip
def test_plans(options: Options, settings: dict[str, str], host: str, attempts: tuple[Attempt, ...]) -> None:
    network = NONE if options.fixed_server else IRC
    plan = plan_for(options, network, settings)
    assert (plan.host, plan.attempts) == (host, attempts)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Options(encoding="klingon"), "encoding"),
        (Options(throttle_per_second=0), "throttle_per_second"),
        (Options(tls_ports=()), "tls_ports"),
        (Options(plain_ports=(70000,)), "plain_ports"),
        (Options(fixed_server="not a host"), "fixed_server"),
        (Options(networks={"Upper": NetworkOptions()}), "networks.Upper"),
        (Options(networks={"a": NetworkOptions(host="b c")}), "networks.a.host"),
        (Options(networks={"a": NetworkOptions(port=-1)}), "networks.a.port"),
        (Options(networks={"a": NetworkOptions(ca_file="/nowhere/ca.pem")}), "networks.a.ca_file"),
        (Options(networks={"a": NetworkOptions(password_file="/nowhere/pw")}), "networks.a.password_file"),
    ],
)
def test_options_that_cannot_work(options: Options, named: str) -> None:
    with pytest.raises(ValueError) as caught:
        create(options)
    assert named in str(caught.value)


def test_options_from_a_config(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hello\n")
    table = {"networks": {"libera": {"host": "irc.libera.chat", "password_file": str(tmp_path / "pw")}}}
    options = msgspec.convert(table, Options)
    assert create(options).info.category == "conference"
    with pytest.raises(msgspec.ValidationError, match="tlsports"):
        msgspec.convert({"tlsports": [1]}, Options)
