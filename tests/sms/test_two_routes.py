"""A bridge with a bind and a provider, and a user with a number at each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.peers.smsc import PhoneNetwork
from tests.peers.xmpp_client import XmppClient, message, xmpp_client
from tests.sms.provider_town import ROUTE, Plan, ProviderTown, running_provider_town
from tests.sms.test_chat import failure, receipt, somebody
from tests.sms.town import ALICE, ALSO_ALICE, BOB, phones_of, puppet

pytestmark = pytest.mark.asyncio(loop_scope="module")

OOB = "<x xmlns='jabber:x:oob'><url>{}</url></x>"
URL = "https://upload.example.test/abc/cat.png"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[ProviderTown]:
    """Alice has `ALICE` by SMPP, and `ALSO_ALICE` with the provider."""
    numbers = {ALICE: ("alice", "main"), ALSO_ALICE: ("alice", ROUTE), BOB: ("bob", ROUTE)}
    async with running_provider_town(Plan(numbers=numbers, smpp={})) as town:
        yield town


@pytest_asyncio.fixture(loop_scope="module")
async def phones(town: ProviderTown) -> AsyncIterator[PhoneNetwork]:
    """The phones that the short message centre serves."""
    async with phones_of(town) as phones:
        yield phones


@pytest_asyncio.fixture(loop_scope="module")
async def alice(town: ProviderTown) -> AsyncIterator[XmppClient]:
    """Alice."""
    async with xmpp_client(town.xmpp, "alice") as alice:
        yield alice


async def said(alice: XmppClient, number: str) -> str:
    """The next words from there."""
    got = await alice.wait(lambda s: s.name == "message" and s["from"].bare == puppet(number) and s["body"])
    return str(got["body"])


async def by_smpp(phones: PhoneNetwork, number: str, body: str) -> str:
    """A phone got it from the bind; from which number."""
    [text] = await phones.wait("text", lambda each: (each["to"], each["text"]) == (number[1:], body))
    return f"+{text['from']}"


async def by_provider(town: ProviderTown, number: str, body: str) -> str:
    """A phone got it from the provider; from which number."""
    return str(town.provider.messages[await town.got(number, body)]["from"])


async def test_answers_go_out_by_the_number_that_was_texted(
    town: ProviderTown, phones: PhoneNetwork, alice: XmppClient
) -> None:
    rose, tom = somebody(), somebody()
    await phones.text(rose, ALICE, "by smpp")
    await alice.wait(message(puppet(rose), "by smpp"))
    await town.texted(tom, ALSO_ALICE, "by http")
    await alice.wait(message(puppet(tom), f"[to {ALSO_ALICE}]\nby http"))
    alice.say(puppet(rose), "answer 1")
    alice.say(puppet(tom), "answer 2")
    assert await by_smpp(phones, rose, "answer 1") == ALICE
    assert await by_provider(town, tom, "answer 2") == ALSO_ALICE


async def test_somebody_who_texts_the_other_number(
    town: ProviderTown, phones: PhoneNetwork, alice: XmppClient
) -> None:
    """What is answered goes there, and the user sees that it changes."""
    rose = somebody()
    await phones.text(rose, ALICE, "one")
    await alice.wait(message(puppet(rose), "one"))
    await town.texted(rose, ALSO_ALICE, "two")
    await alice.wait(message(puppet(rose), f"[to {ALSO_ALICE}]\ntwo"))
    await town.texted(rose, ALSO_ALICE, "three")
    await alice.wait(message(puppet(rose), "three"))
    stanza_id = alice.say(puppet(rose), "to two")
    assert await by_provider(town, rose, "to two") == ALSO_ALICE
    await town.provider.tell(await town.got(rose, "to two"), "delivered")
    await alice.wait(receipt(stanza_id))


async def test_a_user_chooses_the_number(town: ProviderTown, phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    alice.say(puppet(rose), "first")
    assert await by_smpp(phones, rose, "first") == ALICE, "the first of hers"
    alice.say(puppet(rose), "/number")
    listed = await said(alice, rose)
    assert f"1. {ALICE} (used here)\n2. {ALSO_ALICE}\n" in listed
    alice.say(puppet(rose), "/number 2")
    assert f"{ALSO_ALICE} (used here)" in await said(alice, rose)
    alice.say(puppet(rose), "second")
    assert await by_provider(town, rose, "second") == ALSO_ALICE
    await town.restart()
    alice.say(puppet(rose), "third")
    assert await by_provider(town, rose, "third") == ALSO_ALICE
    alice.say(puppet(rose), f"/number {ALICE}")
    assert f"{ALICE} (used here)" in await said(alice, rose)
    alice.say(puppet(rose), "fourth")
    assert await by_smpp(phones, rose, "fourth") == ALICE
    failed = await alice.wait(failure(alice.say(puppet(rose), "/number +15559999999")))
    assert failed["error"]["condition"] == "item-not-found"
    assert not [text for text in town.provider.phones[rose] if "/number" in text]
    assert not [text for text in await phones.inbox(rose[1:]) if "/number" in text]


async def test_files_as_the_chats_own_number_can_carry_them(
    town: ProviderTown, phones: PhoneNetwork, alice: XmppClient
) -> None:
    rose, tom = somebody(), somebody()
    await town.texted(rose, ALSO_ALICE, "send me a picture")
    await alice.wait(message(puppet(rose)))
    body = f"<body>{URL}</body>{OOB.format(URL)}"
    for number in (rose, tom):
        to = puppet(number)
        alice.send(f"<message to='{to}' type='chat' id='{alice.new_id()}'>{body}</message>")
    assert await by_smpp(phones, tom, URL) == ALICE
    await town.got(rose, "")
    form = next(form for form in town.provider.forms if form["To"] == [rose])
    assert form["MediaUrl"] == [URL]


async def test_a_text_for_the_other_users_route(
    town: ProviderTown, phones: PhoneNetwork, alice: XmppClient
) -> None:
    """A number that is reached by the provider is not reached by the bind."""
    number = await phones.text(somebody(), ALSO_ALICE, "by the wrong door")
    assert await phones.answer(number) == 0x65
    called = await town.post(f"/{ROUTE}/in", b"", {})
    assert called.status == 403
    await alice.sync()
    assert not [s for s in alice.stanzas if "wrong door" in s["body"]]
