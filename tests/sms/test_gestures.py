"""What clients can say that a text cannot: said in words, refused, or left out; and service discovery, which
tells the truth about it."""

from __future__ import annotations

import pytest

from tests.peers.smsc import PhoneNetwork
from tests.peers.xmpp_client import XmppClient, message
from tests.sms.test_chat import TEXT, failure, receipt, somebody
from tests.sms.town import ALICE, Town, puppet

INFO = "http://jabber.org/protocol/disco#info"
WORDS = {
    "urn:xmpp:reply:0",
    "urn:xmpp:message-correct:0",
    "jabber:x:oob",
}
NOT_THERE = {
    "urn:xmpp:reactions:0",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:receipts",
    "urn:xmpp:chat-markers:0",
    "http://jabber.org/protocol/chatstates",
}


class Talk:
    """Alice and somebody with a phone, who has just texted "Tea at five?"."""

    def __init__(self, phones: PhoneNetwork, alice: XmppClient, rose: str, text_id: str) -> None:
        self.phones, self.alice, self.rose, self.text_id = phones, alice, rose, text_id

    def send(self, inner: str) -> str:
        """A message, as it stands; returns its id."""
        stanza_id = f"g{self.alice.new_id()}"
        self.alice.send(f"<message to='{puppet(self.rose)}' type='chat' id='{stanza_id}'>{inner}</message>")
        return stanza_id

    async def hears(self) -> list[str]:
        """All that the phone got, once what was said is over."""
        self.alice.say(puppet(self.rose), "that is all")
        await self.phones.wait("text", lambda e: (e["to"], e["text"]) == (self.rose[1:], "that is all"))
        return (await self.phones.inbox(self.rose[1:]))[:-1]

    async def refused(self, stanza_id: str) -> tuple[str, str]:
        """With which condition, and why."""
        failed = await self.alice.wait(failure(stanza_id))
        return failed["error"]["condition"], str(failed.xml.findtext(f".//{TEXT}"))


@pytest.fixture
async def talk(phones: PhoneNetwork, alice: XmppClient) -> Talk:
    rose = somebody()
    await phones.text(rose, ALICE, "Tea at five?")
    got = await alice.wait(message(puppet(rose), "Tea at five?"))
    return Talk(phones, alice, rose, str(got["id"]))


async def test_a_correction_is_a_text_of_its_own(talk: Talk) -> None:
    first = talk.alice.say(puppet(talk.rose), "Yes, at sx")
    await talk.alice.wait(receipt(first))
    talk.send(f"<body>Yes, at six</body><replace xmlns='urn:xmpp:message-correct:0' id='{first}'/>")
    assert await talk.hears() == ["Yes, at sx", "* Yes, at six"]


async def test_a_reply_quotes(talk: Talk) -> None:
    """What it answers, as the client has written it for those who know no replies (XEP-0428)."""
    fallback = (
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='{}'/></fallback>"
    )
    reply = f"<reply xmlns='urn:xmpp:reply:0' id='{talk.text_id}' to='{puppet(talk.rose)}'/>"
    talk.send(f"<body>&gt; Tea at five?\nYes</body>{reply}{fallback.format(15)}")
    talk.send(f"<body>&gt; {'x' * 40}\n&gt; {'y' * 40}\nNo</body>{reply}{fallback.format(86)}")
    talk.send(f"<body>Perhaps</body>{reply}")
    assert await talk.hears() == ["> Tea at five?\nYes", f"> {'x' * 40} {'y' * 16}...\nNo", "Perhaps"]


async def test_a_reaction_is_refused(talk: Talk) -> None:
    reactions = "<reactions xmlns='urn:xmpp:reactions:0' id='{}'><reaction>👍</reaction></reactions>"
    condition, words = await talk.refused(talk.send(reactions.format(talk.text_id)))
    assert condition == "feature-not-implemented"
    assert words == "Reactions are not possible on this network."
    assert await talk.hears() == []


async def test_a_retraction_is_refused(talk: Talk) -> None:
    said = talk.alice.say(puppet(talk.rose), "Never")
    retraction = talk.send(f"<retract xmlns='urn:xmpp:message-retract:1' id='{said}'/>")
    condition, words = await talk.refused(retraction)
    assert condition == "feature-not-implemented"
    assert "cannot be taken back" in words
    assert await talk.hears() == ["Never"]


async def test_what_nobody_misses_is_left_out(talk: Talk) -> None:
    states = "<{} xmlns='http://jabber.org/protocol/chatstates'/>"
    ids = [talk.send(states.format(state)) for state in ("composing", "paused", "gone")]
    ids.append(talk.send(f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{talk.text_id}'/>"))
    ids.append(talk.send(f"<received xmlns='urn:xmpp:receipts' id='{talk.text_id}'/>"))
    assert await talk.hears() == []
    assert not [s for s in talk.alice.stanzas if s.name == "message" and s["id"] in ids]


async def test_more_than_a_body(talk: Talk) -> None:
    talk.send("<body>/me waves</body>")
    talk.send("<subject>Tea</subject><body>at six</body>")
    talk.send("<body>*now*</body><active xmlns='http://jabber.org/protocol/chatstates'/>")
    assert await talk.hears() == ["* waves", "Subject: Tea\nat six", "*now*"]


async def test_service_discovery_tells_the_truth(town: Town, talk: Talk) -> None:
    answer = await talk.alice.iq(puppet(talk.rose), f"<query xmlns='{INFO}'/>")
    features = {each.get("var") for each in answer.xml.findall(f".//{{{INFO}}}feature")}
    assert features >= WORDS
    assert not NOT_THERE & features
    [identity] = answer.xml.findall(f".//{{{INFO}}}identity")
    assert (identity.get("category"), identity.get("type")) == ("client", "sms")
