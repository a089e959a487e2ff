"""Users who bring an account of their own with a provider: registered by form, tried, used, given up."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.peers.twilio import Account
from tests.peers.xmpp_client import XmppClient, message, xmpp_client
from tests.sms.provider_town import EXTERNAL, ROUTE, Plan, ProviderTown, running_provider_town
from tests.sms.test_chat import TEXT, failure, receipt, somebody
from tests.sms.town import BOB, GATEWAY, puppet

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count(15554100000)
REMOVE = "<query xmlns='jabber:iq:register'><remove/></query>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[ProviderTown]:
    """Bob has a number of the gateway's; alice and carol have none."""
    async with running_provider_town(Plan(numbers={BOB: ("bob", ROUTE)})) as town:
        yield town


@dataclass
class Customer:
    """A user with an account of their own, which has a number."""

    town: ProviderTown
    client: XmppClient
    account: Account
    number: str

    async def register(self, **more: str) -> Any:
        """The answer to the form, filled in."""
        own = {
            "provider": "twilio",
            "number": self.number,
            "sid": self.account.sid,
            "token": self.account.token,
        }
        return await self.town.ask(self.client, **{**own, **more})

    async def unregister(self) -> Any:
        return await self.client.iq(GATEWAY, REMOVE, "set", seconds=30.0)

    @property
    def sms_url(self) -> str:
        """Where the provider brings texts for the number."""
        return str(self.account.numbers[self.number]["sms_url"])

    async def gets(self, body: str) -> str:
        """A text arrives; from whom."""
        rose = somebody()
        await self.town.texted(rose, self.number, body)
        await self.client.wait(message(puppet(rose), body))
        return rose


@pytest_asyncio.fixture(loop_scope="module")
async def alice(town: ProviderTown) -> AsyncIterator[Customer]:
    """Alice, with an account and a number that nobody has used, not registered yet."""
    number = f"+{next(_numbers)}"
    async with xmpp_client(town.xmpp, "alice") as client:
        alice = Customer(town, client, town.provider.add_account(number), number)
        yield alice
        await alice.unregister()


def why(answer: Any) -> str:
    """What an error says."""
    assert answer["type"] == "error", str(answer)
    return str(answer.xml.findtext(f".//{TEXT}"))


async def test_texts_come_and_go(town: ProviderTown, alice: Customer) -> None:
    assert (await alice.register())["type"] == "result"
    assert ("GET", f"/2010-04-01/Accounts/{alice.account.sid}.json") in town.provider.asked
    assert alice.sms_url.startswith(f"{EXTERNAL}/own/")
    assert alice.account.numbers[alice.number]["sms_method"] == "POST"
    rose = await alice.gets("Is it you?")
    stanza_id = alice.client.say(puppet(rose), "It is.")
    sid = await town.got(rose, "It is.")
    sent = town.provider.messages[sid]
    assert (sent["from"], sent["account_sid"]) == (alice.number, alice.account.sid)
    await town.provider.tell(sid, "delivered")
    await alice.client.wait(receipt(stanza_id))
    await town.restart()
    await alice.gets("And now?")


def _suspended(alice: Customer) -> dict[str, str]:
    alice.account.status = "suspended"
    return {}


def _voice_only(alice: Customer) -> dict[str, str]:
    alice.account.add_number(alice.number, sms=False)
    return {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: {"token": "wrong"}, "does not take this account SID with this token"),
        (lambda _: {"sid": "AC" + "0" * 32}, "does not take this account SID with this token"),
        (lambda _: {"sid": "nonsense!"}, "no account SID"),
        (lambda _: {"number": "+15559998888"}, "has no number +15559998888"),
        (lambda _: {"number": "555 999 8888"}, "no number like"),
        (lambda _: {"token": ""}, "auth token is missing"),
        (lambda _: {"sid": ""}, "account SID is missing"),
        (lambda _: {"number": ""}, "number is missing"),
        (lambda _: {"provider": ""}, "no number here"),
        (lambda _: {"provider": "elsewhere"}, "provider"),
        (lambda _: {"country": "Atlantis"}, "no country"),
        (_suspended, "not active"),
        (_voice_only, "send no texts"),
    ],
)
async def test_what_is_refused(
    alice: Customer, change: Callable[[Customer], dict[str, str]], words: str
) -> None:
    """With the reason; and nothing is changed."""
    before = alice.sms_url
    answer = await alice.register(**change(alice))
    assert words in why(answer)
    assert answer["error"]["type"] == "modify"
    if alice.number in alice.account.numbers:
        assert alice.sms_url == before
    failed = await alice.client.wait(failure(alice.client.say(puppet(somebody()), "hello")))
    assert failed["error"]["condition"] == "registration-required"


async def test_a_provider_that_is_out(town: ProviderTown, alice: Customer) -> None:
    town.provider.odd = (503, "come back")
    try:
        assert "trouble" in why(await alice.register())
    finally:
        town.provider.odd = None
    assert (await alice.register())["type"] == "result"


async def test_the_token_is_kept_for_the_same_account_only(town: ProviderTown, alice: Customer) -> None:
    await alice.register()
    assert (await alice.register(token="", country="DE"))["type"] == "result"
    rose = await alice.gets("still there")
    alice.client.say(puppet(rose), "yes")
    await town.got(rose, "yes")
    other = town.provider.add_account(alice.number)
    assert "token is missing" in why(await alice.register(token="", sid=other.sid))
    assert not [path for _, path in town.provider.asked if other.sid in path], "it was shown to nobody"


async def test_what_is_reported_after_another_registration(town: ProviderTown, alice: Customer) -> None:
    await alice.register()
    rose = await alice.gets("hello")
    stanza_id = alice.client.say(puppet(rose), "hello yourself")
    sid = await town.got(rose, "hello yourself")
    await alice.register(country="DE")
    assert (await town.provider.tell(sid, "undelivered", 30003)).status == 204
    await alice.client.wait(failure(stanza_id))


async def test_a_number_is_one_users(town: ProviderTown, alice: Customer) -> None:
    """Even where another knows its login, which is then not taken away from the first."""
    await alice.register()
    async with xmpp_client(town.xmpp, "carol") as client:
        carol = Customer(town, client, alice.account, alice.number)
        assert f"{alice.number} is taken" in why(await carol.register())
        rose = await alice.gets("still alice's")
        failed = await client.wait(failure(client.say(puppet(rose), "from carol")))
        assert failed["error"]["condition"] == "registration-required"
        assert (await alice.unregister())["type"] == "result"
        assert f"{alice.number} is taken" in why(await carol.register()), "what still comes is not for her"
    stolen = town.provider.add_account(BOB)
    taken = await town.ask(alice.client, provider="twilio", number=BOB, sid=stolen.sid, token=stolen.token)
    assert f"{BOB} is taken" in why(taken)


async def test_who_unregisters_gets_nothing_more(town: ProviderTown, alice: Customer) -> None:
    await alice.register()
    rose = await alice.gets("last words")
    assert (await alice.unregister())["type"] == "result"
    called = await town.provider.text(rose, alice.number, "more words")
    assert called.status == 404
    failed = await alice.client.wait(failure(alice.client.say(puppet(rose), "wait")))
    assert failed["error"]["condition"] == "registration-required"
    await alice.register()
    await alice.gets("back again")
    assert not [s for s in alice.client.stanzas if s["body"] == "more words"]


async def test_an_own_number_beside_one_of_the_gateways(town: ProviderTown) -> None:
    """The user says which of them is the first."""
    number = f"+{next(_numbers)}"
    async with xmpp_client(town.xmpp, "bob") as client:
        bob = Customer(town, client, town.provider.add_account(number), number)
        assert (await bob.register())["type"] == "result"
        form = await client.iq(GATEWAY, "<query xmlns='jabber:iq:register'/>")
        options = form.xml.findall(".//*[@var='default']//{jabber:x:data}option/{jabber:x:data}value")
        assert [each.text for each in options] == [BOB, number]
        for default in (BOB, number):
            assert (await bob.register(token="", default=default))["type"] == "result"
            rose = somebody()
            client.say(puppet(rose), f"from {default}")
            sid = await town.got(rose, f"from {default}")
            assert town.provider.messages[sid]["from"] == default
        rose = somebody()
        await town.texted(rose, BOB, "to the gateway's")
        await client.wait(message(puppet(rose), f"[to {BOB}]\nto the gateway's"))
        client.say(puppet(rose), "from the gateway's")
        sid = await town.got(rose, "from the gateway's")
        assert town.provider.messages[sid]["from"] == BOB
        assert (await bob.register(provider="", default=number))["type"] == "result"
        client.say(puppet(somebody_else := somebody()), "what is left")
        sid = await town.got(somebody_else, "what is left")
        assert town.provider.messages[sid]["from"] == BOB
