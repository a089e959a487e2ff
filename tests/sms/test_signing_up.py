"""Which registrations and options are accepted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from backends.sms.backend import SmsBackend, create
from backends.sms.numbers import ASSIGNED, CONFIGURED, Numbers
from backends.sms.options import NumberOptions, Options
from backends.sms.signup import SignUp
from backends.sms.smpp.options import SmppOptions
from backends.sms.values import OwnNumber
from bridge.api import (
    Account,
    AccountId,
    BadAddress,
    ContactAddress,
    ContactId,
    NetworkId,
    RegistrationRefused,
)

ROUTE = SmppOptions(host="localhost", port=1, system_id="x", tls="off")
HOOKS = {"webhook_listen": "127.0.0.1:0", "webhook_url": "https://sms.example.com/hooks"}
NET = NetworkId("")


def _options(**more: object) -> Options:
    given: dict[str, object] = {"routes": {"main": ROUTE}, **more}
    return Options(**given)  # type: ignore[arg-type]


async def _accept(given: Mapping[str, str]) -> Mapping[str, str]:
    return {}


def _signup(**more: object) -> SignUp:
    options = _options(**more)
    return SignUp(options, Numbers(options), _accept)


async def _refused(signup: SignUp, **values: str) -> RegistrationRefused:
    with pytest.raises(RegistrationRefused) as refused:
        await signup.judge(values)
    return refused.value


async def test_a_number_that_the_admin_gave() -> None:
    kept = await _signup().judge({ASSIGNED: "+15550001111\n 72975 main ", "notice": "4", "country": "us"})
    assert kept[ASSIGNED] == "+15550001111 main\n72975 main"
    assert (kept["notice"], kept["country"]) == ("4", "US")


async def test_without_a_number() -> None:
    assert "Ask the gateway's admin for one." in str(await _refused(_signup()))
    assert "or enter that of your provider" in str(await _refused(_signup(**HOOKS)))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({ASSIGNED: "+15550001111 nowhere"}, ASSIGNED),
        ({ASSIGNED: "5550001111x!"}, ASSIGNED),
        ({ASSIGNED: "+15550001111", "country": "Atlantis"}, "country"),
        ({ASSIGNED: "+15550001111", "notice": "0"}, "notice"),
        ({ASSIGNED: "+15550001111", "notice": "999"}, "notice"),
        ({ASSIGNED: "+15550001111", "notice": "x"}, "notice"),
        ({ASSIGNED: "+15550001111", "texts_per_day": "0"}, "texts_per_day"),
        ({ASSIGNED: "+15550001111", "country": "U\nS"}, "country"),
        ({ASSIGNED: "+15550001111\n" * 1000}, ASSIGNED),
    ],
)
async def test_what_is_refused_names_the_field(values: dict[str, str], field: str) -> None:
    assert (await _refused(_signup(), **values)).field == field


async def test_the_route_must_be_said_where_there_are_several() -> None:
    signup = _signup(routes={"main": ROUTE, "other": ROUTE})
    assert "main, other" in str(await _refused(signup, **{ASSIGNED: "+15550001111"}))
    kept = await signup.judge({ASSIGNED: "+15550001111 other"})
    assert kept[ASSIGNED] == "+15550001111 other"


OWN = {"provider": "twilio", "number": "+1 555 000 1111", "sid": "AC1", "token": "secret"}


async def test_an_own_account_is_tried() -> None:
    tried: list[Mapping[str, str]] = []

    async def try_account(given: Mapping[str, str]) -> Mapping[str, str]:
        tried.append(given)
        if given["token"] != "secret":
            raise RegistrationRefused("wrong", "token")
        return {}

    options = _options(**HOOKS)
    signup = SignUp(options, Numbers(options), try_account)
    kept = await signup.judge(OWN)
    assert kept["number"] == tried[0]["number"] == "+15550001111"
    assert len(kept["hook"]) > 20
    assert (await _refused(signup, **{**OWN, "token": "other"})).field == "token"
    for missing in ("number", "sid", "token"):
        assert (await _refused(signup, **{**OWN, missing: ""})).field == missing
    assert (await _refused(signup, **{**OWN, "number": "5550001111"})).field == "number"


async def test_own_accounts_need_webhooks() -> None:
    assert "admin" in str(await _refused(_signup(), **OWN))


def test_numbers_of_an_account() -> None:
    options = _options(numbers={"+15550001111": NumberOptions(user="Alice@example.org")})
    numbers = Numbers(options)
    settings = {ASSIGNED: "+15550002222 main\n+15550003333 gone", CONFIGURED: "+15550009999 main"}
    account = Account(AccountId("a"), "alice@example.org", NET, settings)
    one, two = OwnNumber("+15550001111", "main"), OwnNumber("+15550002222", "main")
    assert numbers.of(account) == (one, two), "what is configured is what the configuration says now"
    other = Account(AccountId("a"), "alice@example.org", NET, {**settings, "default": "+15550002222"})
    assert numbers.of(other) == (two, one)
    assert numbers.holds(account, "+15550002222", "main")
    assert not numbers.holds(account, "+15550003333", "gone")
    assert not numbers.of(Account(AccountId("b"), "bob@example.org", NET))


def _backend(**more: object) -> SmsBackend:
    return create(_options(**more))


def test_claims() -> None:
    backend = _backend()
    own = {"provider": "twilio", "number": "+15550003333", "hook": "abc"}
    claims = backend.claims(NET, {ASSIGNED: "+15550001111 main", CONFIGURED: "+15550002222 main", **own})
    assert set(claims) == {"+15550001111", "+15550002222", "+15550003333", "hook abc"}


def test_numbers_at_home() -> None:
    backend = _backend(country="DE")
    home = ContactAddress(NET, ContactId("5551234567"))
    assert backend.normalise(home, {"country": "US"}).contact == "+15551234567"
    assert backend.normalise(home, {ASSIGNED: "+15550001111 main"}).contact == "+15551234567"
    german = backend.contact_from_prompt("030 123456", {})
    assert isinstance(german, ContactAddress)
    assert german.contact == "+4930123456"
    with pytest.raises(BadAddress):
        _backend().normalise(home, {})


def test_the_form_shows_what_fits() -> None:
    names = {each.name for each in _backend().registration(NET, {}).fields}
    assert {"provider", "token", "default"}.isdisjoint(names)
    form = _backend(**HOOKS).registration(NET, {ASSIGNED: "+15550001111 main\n+15550002222 main"})
    assert {"provider", "token", "default"} <= {each.name for each in form.fields}
    assert "+15550001111" in form.instructions
    own = {ASSIGNED: "+15550001111 main", "provider": "twilio", "number": "+15550003333"}
    [default] = [each for each in _backend(**HOOKS).registration(NET, own).fields if each.name == "default"]
    assert [value for value, _ in default.choices] == ["+15550001111", "+15550003333"]
    assert {each.name for each in form.fields if each.admin} == {ASSIGNED, CONFIGURED, "texts_per_day"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"routes": {}}, "routes"),
        ({"routes": {"Main": ROUTE}}, "routes"),
        ({"routes": {"own": ROUTE}}, "routes"),
        ({"numbers": {"555": NumberOptions(user="alice")}}, 'numbers."555".user'),
        ({"numbers": {"x": NumberOptions(user="alice@x")}}, 'numbers."x"'),
        (
            {"numbers": {"+15550001111": NumberOptions(user="a@x", route="no")}},
            'numbers."+15550001111".route',
        ),
        ({"country": "XX"}, "country"),
        ({"segments_notice": 50}, "segments_notice"),
        ({"texts_per_day": 0}, "texts_per_day"),
        ({"give_up_hours": 0.0}, "give_up_hours"),
        ({"webhook_listen": "127.0.0.1:80"}, "webhook_listen, webhook_url"),
        ({**HOOKS, "webhook_listen": "nowhere"}, "webhook_listen"),
        ({**HOOKS, "webhook_url": "ftp://x"}, "webhook_url: expected an https address"),
        ({**HOOKS, "webhook_url": "http://sms.example.com"}, "webhook_url: expected an https address"),
    ],
)
def test_options_that_cannot_work_are_named(given: dict[str, object], names: str) -> None:
    with pytest.raises(ValueError, match=r".") as wrong:
        create(_options(**given))
    assert str(wrong.value).startswith(names)


def test_all_that_cannot_work_is_told_at_once() -> None:
    route = SmppOptions(host=" ", system_id="x", port=-1, tls="off")
    with pytest.raises(ValueError, match=r".") as wrong:
        create(
            _options(routes={"main": route}, numbers={"1": NumberOptions(user="a", route="no")}, country="X")
        )
    assert [line.partition(": ")[0] for line in str(wrong.value).splitlines()] == [
        "routes.main.host",
        "routes.main.port",
        'numbers."1"',
        'numbers."1".user',
        'numbers."1".route',
        "country",
    ]


def test_a_password_file_that_is_not_there(tmp_path: Path) -> None:
    route = SmppOptions(host="x", system_id="x", password_file=str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"routes\.main\.password_file"):
        create(_options(routes={"main": route}))
