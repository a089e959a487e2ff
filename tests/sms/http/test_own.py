"""Users' own accounts: tried before they are taken, pointed at our webhooks, and used."""

from __future__ import annotations

import asyncio
import re

import pytest

from backends.sms.http.access import own_access
from backends.sms.http.carrier import own_carrier
from backends.sms.http.own import hook_of, point_here, try_account
from backends.sms.values import Outgoing
from bridge.api import Account as Registered
from bridge.api import AccountId, ContactId, NetworkId, RegistrationRefused, Sent
from bridge.testing.fake_host import FakeHost
from tests.peers.daemon import free_port
from tests.peers.twilio import Account, Twilio
from tests.sms.http.conftest import EXTERNAL, PHONE, Listening
from tests.sms.http.desk import SmallDesk

OWN = "+15557770001"


@pytest.fixture
def theirs(provider: Twilio) -> Account:
    """The user's account, with `OWN`."""
    return provider.add_account(OWN)


@pytest.fixture
def settings(theirs: Account) -> dict[str, str]:
    return {
        "provider": "twilio",
        "sid": theirs.sid,
        "number": OWN,
        "hook": hook_of(theirs.sid, theirs.token, OWN),
    }


@pytest.fixture
def secrets(theirs: Account) -> dict[str, str]:
    return {"token": theirs.token}


async def _try(provider: Twilio, settings: dict[str, str], secrets: dict[str, str], api: str = "") -> str:
    ca_file = str(provider.ca_file)
    return await try_account(settings, secrets, FakeHost(), own_api=api or provider.url, ca_file=ca_file)


async def test_a_good_account_is_used(
    listening: Listening,
    provider: Twilio,
    theirs: Account,
    settings: dict[str, str],
    secrets: dict[str, str],
    desk: SmallDesk,
) -> None:
    more = {"own_api": provider.url, "ca_file": str(provider.ca_file)}
    theirs.numbers[OWN]["sms_application_sid"] = "AP1"
    phone_sid = await _try(provider, settings, secrets)
    assert phone_sid == theirs.numbers[OWN]["sid"]
    await point_here(settings, secrets, phone_sid, EXTERNAL, FakeHost(), **more)
    phone = theirs.numbers[OWN]
    where = f"{EXTERNAL}/own/{settings['hook']}"
    assert (phone["sms_url"], phone["sms_method"]) == (f"{where}/in#rc=5&rp=all", "POST")
    assert phone["sms_application_sid"] == ""

    host = FakeHost(Registered(AccountId("a"), "u@example.org", NetworkId(""), settings, secrets))
    listening.owners[settings["hook"]] = host
    carrier = own_carrier(settings, secrets, host, EXTERNAL, **more)
    running = asyncio.create_task(carrier.run(desk))
    outcome = await carrier.send(Outgoing(OWN, ContactId(PHONE), "hello", "key"))
    assert isinstance(outcome, Sent)
    sid = outcome.parts[0].id.removeprefix("own ")
    assert provider.callbacks[sid] == f"{where}/status#rc=5&rp=all"
    assert (await provider.tell(sid, "delivered")).status == 204
    assert (await provider.text(PHONE, OWN, "hi")).status == 200
    assert [each.id for each in desk.reports] == [outcome.parts[0].id]
    assert [each.id.startswith("own ") for each in desk.texts] == [True]
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"provider": "pigeon"}, "provider", "Choose a provider"),
        ({"sid": "x"}, "sid", "no account SID"),
        ({"sid": "AC00000000000000000000000000000000"}, "token", "does not take this account SID"),
        ({"token": ""}, "token", "missing"),
        ({"token": "wrong"}, "token", "does not take this account SID"),
        ({"number": "+15550009999"}, "number", r"no number \+15550009999"),
        ({"number": "+1555000"}, "number", "no number"),
        ({"provider": "signalwire", "space": "https://evil.example/"}, "space", "first part"),
        ({"provider": "signalwire", "space": ""}, "space", "first part"),
    ],
)
async def test_what_is_wrong_is_named(
    provider: Twilio,
    settings: dict[str, str],
    secrets: dict[str, str],
    changes: dict[str, str],
    field: str,
    words: str,
) -> None:
    given, token = {**settings, **changes}, changes.get("token", secrets["token"])
    api = "" if "space" in changes else provider.url
    with pytest.raises(RegistrationRefused, match=words) as refused:
        await try_account(given, {"token": token}, FakeHost(), own_api=api, ca_file=str(provider.ca_file))
    assert refused.value.field == field


@pytest.mark.parametrize(("status", "words"), [("suspended", "it is suspended"), ("closed", "it is closed")])
async def test_an_account_that_is_not_active(
    provider: Twilio,
    theirs: Account,
    settings: dict[str, str],
    secrets: dict[str, str],
    status: str,
    words: str,
) -> None:
    theirs.status = status
    with pytest.raises(RegistrationRefused, match=words) as refused:
        await _try(provider, settings, secrets)
    assert refused.value.field == "sid"


async def test_a_number_that_cannot_text(
    provider: Twilio, theirs: Account, settings: dict[str, str], secrets: dict[str, str]
) -> None:
    theirs.add_number(OWN, sms=False)
    with pytest.raises(RegistrationRefused, match="send no texts") as refused:
        await _try(provider, settings, secrets)
    assert refused.value.field == "number"
    theirs.numbers[OWN]["capabilities"] = {"SMS": True, "voice": False}
    assert await _try(provider, settings, secrets)
    del theirs.numbers[OWN]["capabilities"]
    assert await _try(provider, settings, secrets)


async def test_a_provider_that_is_not_there(
    provider: Twilio, settings: dict[str, str], secrets: dict[str, str]
) -> None:
    with pytest.raises(RegistrationRefused, match="cannot be reached") as refused:
        await _try(provider, settings, secrets, f"https://localhost:{free_port()}")
    assert refused.value.field == "provider"
    space = {**settings, "provider": "signalwire", "space": "nowhere"}
    with pytest.raises(RegistrationRefused, match=r"no host called 'nowhere\.signalwire\.com'") as refused:
        await try_account(space, secrets, FakeHost())
    assert refused.value.field == "space"


@pytest.mark.parametrize(
    ("status", "body"), [(503, "{}"), (429, "{}"), (200, "<html>"), (200, "[]"), (302, "{}")]
)
async def test_a_provider_that_makes_no_sense(
    provider: Twilio, settings: dict[str, str], secrets: dict[str, str], status: int, body: str
) -> None:
    provider.odd = (status, body)
    with pytest.raises(RegistrationRefused) as refused:
        await _try(provider, settings, secrets)
    assert refused.value.field == "provider"


async def test_a_number_that_cannot_be_pointed_here(
    provider: Twilio, settings: dict[str, str], secrets: dict[str, str]
) -> None:
    more = {"own_api": provider.url, "ca_file": str(provider.ca_file)}
    with pytest.raises(RegistrationRefused, match="was not found") as refused:
        await point_here(settings, secrets, "PN0", EXTERNAL, FakeHost(), **more)
    assert refused.value.field == "number"
    more["own_api"] = f"https://localhost:{free_port()}"
    with pytest.raises(RegistrationRefused, match="cannot be reached"):
        await point_here(settings, secrets, "PN0", EXTERNAL, FakeHost(), **more)


@pytest.mark.parametrize("space", ["example", "Example.signalwire.com", "https://example.signalwire.com/"])
def test_where_signalwire_is(space: str) -> None:
    settings = {"provider": "signalwire", "sid": "0123-4567-89ab", "space": space}
    access = own_access(settings, {"token": "PT1", "signing_key": "PSK1"})
    assert access.api == "https://example.signalwire.com/api/laml"
    assert (access.key, access.is_twilio) == ("PSK1", False)


def test_where_twilio_is() -> None:
    access = own_access({"provider": "twilio", "sid": "AC0123456789"}, {"token": "t0p"})
    assert (access.api, access.key, access.is_twilio) == ("https://api.twilio.com", "t0p", True)
    assert "t0p" not in repr(access)


def test_hooks_are_not_guessed() -> None:
    mine = hook_of("AC1", "token", OWN)
    assert mine == hook_of("AC1", "token", OWN)
    others = {hook_of("AC2", "token", OWN), hook_of("AC1", "nekot", OWN), hook_of("AC1", "token", PHONE)}
    assert len({mine, *others}) == 4
    assert all(re.fullmatch("[A-Za-z0-9_-]{43}", each) for each in {mine, *others})
