"""What people and carriers should not do: each has an outcome that is clear to whoever it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.mail.reader import until
from tests.peers.smsc import PhoneNetwork, address
from tests.peers.xmpp_client import XmppClient, message, xmpp_client
from tests.sms.provider_town import Plan, ProviderTown, running_provider_town
from tests.sms.test_chat import TEXT, failure, receipt, somebody
from tests.sms.town import ALICE, BOB, CAROL, GATEWAY, phones_of, puppet

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = {ALICE: ("alice", "main"), BOB: ("bob", "main"), CAROL: ("carol", "main")}
A_DAY = 80


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[ProviderTown]:
    """One for all tests of this module; its bridge waits a second for an answer of the carrier's."""
    plan = Plan(
        NUMBERS,
        smpp={"response_seconds": 1, "enquire_seconds": 1},
        web=False,
        options={"texts_per_day": A_DAY},
        limits="messages_per_second = 5.0\nmessage_burst = 30",
    )
    async with running_provider_town(plan) as town:
        yield town


@pytest_asyncio.fixture(loop_scope="module")
async def phones(town: ProviderTown) -> AsyncIterator[PhoneNetwork]:
    """The phone network, with the bridge bound to it."""
    async with phones_of(town) as phones:
        yield phones


@pytest_asyncio.fixture(loop_scope="module")
async def alice(town: ProviderTown) -> AsyncIterator[XmppClient]:
    """Alice."""
    async with xmpp_client(town.xmpp, "alice") as alice:
        yield alice


async def refusal(client: XmppClient, to: str, body: str) -> tuple[str, str]:
    """What is said against a message: condition and words."""
    failed = await client.wait(failure(client.say(to, body)))
    conditions = [part.tag.rpartition("}")[2] for part in failed["error"].xml]
    return next(each for each in conditions if each != "text"), str(failed.xml.findtext(f".//{TEXT}"))


async def goes(phones: PhoneNetwork, client: XmppClient, body: str) -> str:
    """Something is said and reaches its phone, whose number is returned."""
    rose = somebody()
    stanza_id = client.say(puppet(rose), body)
    await phones.wait("text", lambda event: (event["to"], event["text"]) == (rose[1:], body))
    await client.wait(receipt(stanza_id))
    return rose


# -- what users do


@pytest.mark.parametrize("local", ["+1555", "+999123456789", "12", "1234567890123456789", "+1555abc"])
async def test_an_impossible_number(alice: XmppClient, local: str) -> None:
    condition, words = await refusal(alice, f"{local}@{GATEWAY}", "hello")
    assert condition == "item-not-found"
    assert words
    prompt = f"<query xmlns='jabber:iq:gateway'><prompt>{local}</prompt></query>"
    answer = await alice.iq(GATEWAY, prompt, "set")
    assert answer["type"] == "error"
    assert answer.xml.findtext(f".//{TEXT}")


async def test_ten_thousand_characters(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    for body, texts in (("x" * 10_000, 66), ("ж" * 10_000, 150)):
        for _ in range(2):
            condition, words = await refusal(alice, puppet(rose), body)
            assert condition == "policy-violation"
            assert words == f"This would be {texts} texts; the most in one message is 40."
    await goes(phones, alice, "a short one")
    assert not await phones.inbox(rose[1:])


async def test_what_is_dear_is_said_twice(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose, body = somebody(), "y" * (6 * 153 + 1)
    _, words = await refusal(alice, puppet(rose), body)
    assert words == "This would be 7 texts. To send it, say the same once more."
    stanza_id = alice.say(puppet(rose), body)
    await phones.wait("text", lambda event: event["to"] == rose[1:])
    await alice.wait(receipt(stanza_id))
    _, words = await refusal(alice, puppet(rose), body)
    assert "once more" in words, "once more is once"
    assert await phones.inbox(rose[1:]) == [body]


async def test_what_was_said_twice_waits_without_a_third_time(
    phones: PhoneNetwork, alice: XmppClient
) -> None:
    rose, body = somebody(), "z" * (6 * 153 + 1)
    await refusal(alice, puppet(rose), body)
    await phones.set(bindStatus=8)
    await phones.do("drop")
    await phones.wait("closed")
    stanza_id = alice.say(puppet(rose), body)
    await phones.wait("bind")
    await alice.sync()
    await phones.set(bindStatus=0)
    await phones.wait("text", lambda event: event["to"] == rose[1:], seconds=20)
    await alice.wait(receipt(stanza_id))
    assert not [s for s in alice.stanzas if failure(stanza_id)(s)]


async def test_a_flood_from_one_user(town: ProviderTown, phones: PhoneNetwork, alice: XmppClient) -> None:
    """What is too much is refused, the rest goes out; nobody else waits for it."""
    async with xmpp_client(town.xmpp, "bob") as bob:
        rose = somebody()
        said = {bob.say(puppet(rose), f"flood {count}"): f"flood {count}" for count in range(60)}
        await goes(phones, alice, "meanwhile")

        def refused() -> set[str]:
            return {s["id"] for s in bob.stanzas if s.name == "message" and s["type"] == "error"}

        def arrived() -> list[str]:
            return [each["text"] for each in phones.of_kind("text") if each["to"] == rose[1:]]

        await until(lambda: len(refused()) + len(arrived()) == len(said), 10, lambda: len(arrived()))
        assert 30 <= len(arrived()) < 60
        assert arrived() == [text for id_, text in said.items() if id_ not in refused()]
        error = next(s for s in bob.stanzas if s["id"] in refused())
        assert (error["error"]["type"], error["error"]["condition"]) == ("wait", "resource-constraint")
        assert error.xml.findtext(f".//{TEXT}")


async def test_so_many_texts_a_day(town: ProviderTown, phones: PhoneNetwork) -> None:
    """Also after a restart; each part counts."""
    async with xmpp_client(town.xmpp, "carol") as carol:
        for count in range(2):
            body = f"{count}" + "x" * (34 * 153)
            await refusal(carol, puppet(somebody()), body)
            rose = somebody()
            await refusal(carol, puppet(rose), body)
            carol.say(puppet(rose), body)
            await phones.wait("text", lambda event, body=body: event["text"] == body)  # type: ignore[misc]
        await town.restart()
        await until(lambda: "connected to" in town.bridge.log_text(), 10, town.bridge.log_tail)
        rose, body = somebody(), "y" * (34 * 153 + 1)
        await refusal(carol, puppet(rose), body)
        condition, words = await refusal(carol, puppet(rose), body)
        assert condition == "resource-constraint"
        assert words == "This would be 35 texts, and you may send 10 more today. Go on tomorrow (UTC)."
        body = "z" * (9 * 153 + 1)
        await refusal(carol, puppet(rose), body)
        carol.say(puppet(rose), body)
        await phones.wait("text", lambda event: event["text"] == body)
        _, words = await refusal(carol, puppet(rose), "one more")
        assert words == f"You have sent {A_DAY} texts today, as many as you may. Go on tomorrow (UTC)."


# -- what carriers do


async def test_a_carrier_that_is_too_busy(phones: PhoneNetwork, alice: XmppClient) -> None:
    await phones.set(rate=20)
    people = [somebody() for _ in range(10)]
    said = [alice.say(puppet(rose), f"to {rose}") for rose in people]
    for rose in people:
        await phones.wait("text", lambda event, rose=rose: event["text"] == f"to {rose}")  # type: ignore[misc]
    assert [event["status"] for event in phones.of_kind("submit") if event["status"]], "it was too busy"
    await phones.set(rate=0)
    assert len({event["to"] for event in phones.of_kind("text")}) == len(phones.of_kind("text")) == 10
    for stanza_id in said:
        await until(lambda id_=stanza_id: any(map(receipt(id_), alice.stanzas)), 10, lambda: said)  # type: ignore[misc]


async def test_a_carrier_that_ends_the_session(phones: PhoneNetwork, alice: XmppClient) -> None:
    await phones.do("unbind")
    await phones.wait("unbound")
    await phones.wait("bind")
    await goes(phones, alice, "after the unbind")


@pytest.mark.parametrize(
    ("status", "condition", "words"),
    [
        (0x0B, "item-not-found", "may not exist (error 0x0000000B)"),
        (0x0A, "forbidden", "from your number (error 0x0000000A)"),
        (0x45, "gone", "(error 0x00000045)"),
        (0x401, "forbidden", "(error 0x00000401)"),
        (0xDEADBEEF, "forbidden", "(error 0xDEADBEEF)"),
    ],
)
async def test_what_a_carrier_refuses(
    phones: PhoneNetwork, alice: XmppClient, status: int, condition: str, words: str
) -> None:
    rose = somebody()
    await phones.rule(rose[1:], status=status)
    said = await refusal(alice, puppet(rose), "hello?")
    assert (said[0], words in said[1]) == (condition, True), said
    assert len(await phones.inbox(rose[1:])) == 0


async def test_a_carrier_that_takes_and_does_not_answer(phones: PhoneNetwork, alice: XmppClient) -> None:
    """It may have been sent, or not; it is not sent a second time."""
    rose = somebody()
    await phones.rule(rose[1:], answer=False)
    condition, words = await refusal(alice, puppet(rose), "are you there?")
    assert condition == "remote-server-timeout"
    assert words
    await phones.rule(rose[1:])
    await goes(phones, alice, "the next one")
    assert await phones.inbox(rose[1:]) == ["are you there?"]


async def test_a_carrier_that_falls_silent(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose, tom = somebody(), somebody()
    await phones.set(mute=["*"])
    unknown = alice.say(puppet(rose), "into the silence")
    await alice.wait(failure(unknown))
    await phones.wait("closed")
    later = alice.say(puppet(tom), "when it is over")
    await alice.sync()
    await phones.set(mute=[])
    await phones.wait("text", lambda event: event["to"] == tom[1:], seconds=30)
    await alice.wait(receipt(later))
    assert await phones.inbox(rose[1:]) == []


async def test_junk_between_texts(town: ProviderTown, phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    junk = [
        await phones.deliver_raw(b"", once=True),
        await phones.deliver_raw(b"\xff" * 50, once=True),
        await phones.deliver_raw(b"nothing that ends", command=0x103, once=True),
        await phones.deliver_raw(b"\0" * 300, command=0x99, once=True),
        await phones.deliver_raw(b"\0", command=0x04, once=True),
        await phones.deliver({**address(rose, ALICE), "esm_class": 0x40, "short_message": {"hex": "ff0003"}}),
        await phones.deliver({**address(rose, ALICE), "esm_class": 4, "short_message": "id:? stat:NONSENSE"}),
    ]
    await phones.text(rose, ALICE, "and a good one")
    await alice.wait(message(puppet(rose), "and a good one"))
    for number in junk:
        assert await phones.answer(number) != 0x08
    await phones.do("write", hex=bytes([255] * 16).hex())  # a length that nobody can mean
    await phones.wait("closed")
    await phones.wait("bind")
    await phones.text(rose, ALICE, "and another")
    await alice.wait(message(puppet(rose), "and another"))
    assert "Traceback" not in town.bridge.log_text()


async def test_a_wrong_system_id() -> None:
    """The admin reads what is wrong, whoever writes is told that it waits, and the carrier is not asked again
    and again."""
    plan = Plan(NUMBERS, smpp={"system_id": "nobody"}, web=False, module="tests.sms.hurried")
    async with running_provider_town(plan) as town:
        line = "it refuses the bind: error 0x0000000F ESME_RINVSYSID (is the system_id, the password or"
        await until(lambda: line in town.bridge.log_text(), 10, town.bridge.log_tail)
        reader, writer = await asyncio.open_connection("127.0.0.1", town.smsc.control_port)
        phones = PhoneNetwork(reader, writer)
        async with xmpp_client(town.xmpp, "alice") as alice:
            rose = somebody()
            alice.say(puppet(rose), "hello?")
            told = await alice.wait(message(puppet(rose)))
            words = "The carrier does not let the gateway in; the gateway's admin can mend that."
            assert told["body"] == f"Not sent yet: {words} It is tried again by itself."
        assert (await phones.counts())["binds"] == 1
        assert town.bridge.log_text().count(line) == 1
        await phones.close()
