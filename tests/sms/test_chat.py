"""Texts as chat, both ways, with real servers."""

from __future__ import annotations

import itertools

from tests.peers.smsc import PhoneNetwork, address
from tests.peers.xmpp_client import Predicate, XmppClient, message
from tests.sms.town import ALICE, GATEWAY, Town, puppet

_people = itertools.count(15550100000)

RECEIPT = "{urn:xmpp:receipts}received"
TEXT = "{urn:ietf:params:xml:ns:xmpp-stanzas}text"


def somebody() -> str:
    """A number that no test has met."""
    return f"+{next(_people)}"


def receipt(stanza_id: str) -> Predicate:
    """For `wait`: the receipt for a message."""
    return lambda s: (
        s.name == "message" and (found := s.xml.find(RECEIPT)) is not None and found.get("id") == stanza_id
    )


def failure(stanza_id: str) -> Predicate:
    """For `wait`: the error for a message."""
    return lambda s: s.name == "message" and s["type"] == "error" and s["id"] == stanza_id


async def test_a_text_arrives_and_is_answered(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    await phones.text(rose, ALICE, "Tea at five?")
    got = await alice.wait(message(puppet(rose)))
    assert got["body"] == "Tea at five?"
    stanza_id = alice.say(puppet(rose), "Yes, at five.")
    await phones.wait("text", lambda event: event["to"] == rose[1:] and event["text"] == "Yes, at five.")
    await alice.wait(receipt(stanza_id))


async def test_somebody_is_texted_first(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    alice.say(puppet(rose), "Hello, it's alice")
    [text] = await phones.wait("text", lambda event: event["to"] == rose[1:])
    assert (text["from"], text["text"]) == (ALICE[1:], "Hello, it's alice")


async def test_long_texts_and_emoji_both_ways(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    long = "Ein langer Text mit € und Ä. " * 12
    stanza_id = alice.say(puppet(rose), long)
    [text] = await phones.wait("text", lambda event: event["to"] == rose[1:])
    assert text["text"] == long.strip() or text["text"] == long
    await alice.wait(receipt(stanza_id))
    flags = "👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿🇩🇪" * 6
    alice.say(puppet(rose), flags)
    await phones.wait("text", lambda event: event["text"] == flags)
    units = "déjà vu 🍵".encode("utf-16-be")
    parts = [units[:7], units[7:]]  # a phone cuts where it likes
    for number in (2, 1):
        udh = bytes([5, 0, 3, 77, 2, number])
        await phones.deliver(
            {
                **address(rose, ALICE),
                "esm_class": 0x40,
                "data_coding": 8,
                "short_message": {"hex": (udh + parts[number - 1]).hex()},
            }
        )
    await alice.wait(message(puppet(rose), "déjà vu 🍵"))


async def test_nothing_is_claimed_that_was_not_reported(phones: PhoneNetwork, alice: XmppClient) -> None:
    silent, rose = somebody(), somebody()
    await phones.rule(silent[1:], reports=[])
    never = alice.say(puppet(silent), "are you there?")
    await phones.wait("text", lambda event: event["to"] == silent[1:])
    reported = alice.say(puppet(rose), "and you?")
    await alice.wait(receipt(reported))
    await alice.sync()
    assert not [s for s in alice.stanzas if receipt(never)(s)]


async def test_failures_have_a_reason(phones: PhoneNetwork, alice: XmppClient) -> None:
    refused, unreachable = somebody(), somebody()
    await phones.rule(refused[1:], status=0x0B)
    await phones.rule(unreachable[1:], reports=[{"stat": "UNDELIV", "err": "001", "ms": 20}])
    for number in (refused, unreachable):
        stanza_id = alice.say(puppet(number), "hello?")
        failed = await alice.wait(failure(stanza_id))
        assert str(failed["from"].bare) == puppet(number)
        assert failed.xml.findtext(f".//{TEXT}")


async def test_one_part_that_fails_is_a_failure(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    await phones.rule(rose[1:], reports=[{"stat": "UNDELIV", "err": "027", "ms": 20}])
    stanza_id = alice.say(puppet(rose), "x" * 200)
    await alice.wait(failure(stanza_id))
    rose = somebody()
    await phones.wait("submit")
    another = alice.say(puppet(rose), "fine")
    await alice.wait(receipt(another))
    assert sum(bool(failure(stanza_id)(s)) for s in alice.stanzas) == 1


async def test_a_name_that_sends_texts(phones: PhoneNetwork, alice: XmppClient) -> None:
    await phones.deliver(
        {
            **address("", ALICE),
            "source_addr_ton": 5,
            "source_addr_npi": 0,
            "source_addr": "My Bank",
            "short_message": "Your code is 1234",
        }
    )
    bank = puppet("my bank")
    got = await alice.wait(message(bank))
    assert got["body"] == "Your code is 1234"
    assert got.xml.findtext("{http://jabber.org/protocol/nick}nick") == "My Bank"
    failed = await alice.wait(failure(alice.say(bank, "thanks")))
    assert failed.xml.findtext(f".//{TEXT}")


async def test_a_short_code(phones: PhoneNetwork, alice: XmppClient) -> None:
    await phones.deliver(
        {
            **address("", ALICE),
            "source_addr_ton": 3,
            "source_addr_npi": 0,
            "source_addr": "72975",
            "short_message": "Vote now",
        }
    )
    code = puppet("72975;phone-context=+1")
    assert (await alice.wait(message(code)))["body"] == "Vote now"
    alice.say(code, "YES")
    await phones.wait("text", lambda event: event["to"] == "72975" and event["text"] == "YES")


async def test_a_number_as_one_writes_it_at_home(phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    prompt = f"<query xmlns='jabber:iq:gateway'><prompt>({rose[2:5]}) {rose[5:8]}-{rose[8:]}</prompt></query>"
    answer = await alice.iq(GATEWAY, prompt, "set")
    assert answer.xml.findtext(".//{jabber:iq:gateway}jid") == puppet(rose)
    stanza_id = alice.say(puppet(rose[2:]), "home")
    await phones.wait("text", lambda event: event["to"] == rose[1:] and event["text"] == "home")
    await alice.wait(receipt(stanza_id))
    await phones.text(rose, ALICE, "back")
    assert (await alice.wait(message(None, "back")))["from"].bare == puppet(rose)
    wrong = await alice.iq(GATEWAY, "<query xmlns='jabber:iq:gateway'><prompt>12</prompt></query>", "set")
    assert wrong["type"] == "error"
    assert wrong.xml.findtext(f".//{TEXT}")


async def test_vcard_and_identity(town: Town, phones: PhoneNetwork, alice: XmppClient) -> None:
    rose = somebody()
    answer = await alice.iq(puppet(rose), "<vCard xmlns='vcard-temp'/>")
    assert answer.xml.findtext(".//{vcard-temp}TEL/{vcard-temp}NUMBER") == rose
    info = await alice.iq(GATEWAY, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    found = info.xml.findall(".//{http://jabber.org/protocol/disco#info}identity")
    assert ("gateway", "sms") in {(each.get("category"), each.get("type")) for each in found}
