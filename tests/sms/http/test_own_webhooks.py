"""Webhooks of users' own accounts: each is its owner's alone."""

from __future__ import annotations

import pytest

from backends.sms.values import Arrived
from bridge.api import Account, AccountId, ContactId, MessageId, NetworkId
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import MEDIA_HOST, Twilio
from tests.peers.twilio import Account as Customer
from tests.sms.http.conftest import EXTERNAL, Listening
from tests.sms.http.desk import SmallDesk
from tests.sms.http.posting import FIELDS, post

HOOK = "hook-that-nobody-guesses-1234"


@pytest.fixture
def owner(listening: Listening, provider: Twilio) -> Customer:
    """A user's own account at the provider, with the number `+15557770001`, pointed at our webhook."""
    account = provider.add_account("+15557770001")
    account.numbers["+15557770001"]["sms_url"] = f"{EXTERNAL}/own/{HOOK}/in"
    settings = {"provider": "twilio", "sid": account.sid, "number": "+15557770001", "hook": HOOK}
    registered = Account(
        AccountId("theirs"), "u@example.org", NetworkId(""), settings, {"token": account.token}
    )
    listening.owners[HOOK] = FakeHost(registered)
    return account


async def test_a_text_to_a_users_own_account(
    listening: Listening, provider: Twilio, owner: Customer, desk: SmallDesk
) -> None:
    assert (await provider.text("+15558887777", "+15557770001", "hi", sid="SM87654321")).status == 200
    assert desk.texts == [
        Arrived("+15557770001", ContactId("+15558887777"), MessageId("own SM87654321"), "hi")
    ]


async def test_a_file_to_a_users_own_account_is_fetched_with_their_login(
    listening: Listening, provider: Twilio, owner: Customer, desk: SmallDesk
) -> None:
    provider.media = {"MEcat": ("image/jpeg", b"a cat")}
    listening.owners[HOOK].endpoints[MEDIA_HOST] = "127.0.0.1"  # type: ignore[attr-defined]
    assert (await provider.text("+15558887777", "+15557770001", "", ["MEcat"])).status == 200
    assert [each.name for each in desk.texts[0].attachments] == ["MEcat.jpg"]


async def test_a_users_own_account_is_not_anothers(
    listening: Listening, provider: Twilio, owner: Customer, account: Customer, desk: SmallDesk
) -> None:
    url = f"{EXTERNAL}/own/{HOOK}/in"
    not_theirs = await post(provider, owner, FIELDS, url)  # NUMBER is another's
    wrong_key = await post(provider, account, {**FIELDS, "To": "+15557770001"}, url)
    wrong_hook = await post(provider, owner, FIELDS, url.replace("1234", "1235"))
    odd_hook = await post(provider, owner, FIELDS, f"{EXTERNAL}/own/x/in")
    statuses = [each.status for each in (not_theirs, wrong_key, wrong_hook, odd_hook)]
    assert statuses == [404, 403, 404, 404]
    assert desk.told == 0


async def test_a_users_own_account_that_is_none_any_more(
    listening: Listening, provider: Twilio, owner: Customer, desk: SmallDesk
) -> None:
    empty = Account(AccountId("theirs"), "u@example.org", NetworkId(""))
    listening.owners[HOOK] = FakeHost(empty)
    assert (await provider.text("+15558887777", "+15557770001", "hi")).status == 404


async def test_while_the_database_is_out_nobody_knows_the_owner(
    listening: Listening, provider: Twilio, owner: Customer
) -> None:
    listening.out = True
    assert (await provider.text("+15558887777", "+15557770001", "hi")).status == 503
