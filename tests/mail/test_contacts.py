"""Correspondents as contacts: how they are found, what they are called."""

from __future__ import annotations

from tests.mail.conftest import People
from tests.mail.town import GATEWAY, puppet
from tests.peers.xmpp_client import message, presence

PROMPT = "{jabber:iq:gateway}"
VCARD = "{vcard-temp}"


async def test_an_address_is_typed_into_the_prompt(mailbox: People) -> None:
    alice = mailbox.alice
    asked = await alice.iq(GATEWAY, "<query xmlns='jabber:iq:gateway'/>")
    assert "mail address" in (asked.xml.findtext(f"{PROMPT}query/{PROMPT}prompt") or "")
    for typed in (mailbox.rose, f"Rose &lt;{mailbox.rose.upper()}&gt;", f"mailto:{mailbox.rose}"):
        query = f"<query xmlns='jabber:iq:gateway'><prompt>{typed}</prompt></query>"
        found = await alice.iq(GATEWAY, query, "set")
        assert found.xml.findtext(f"{PROMPT}query/{PROMPT}jid") == puppet(mailbox.rose)
    query = "<query xmlns='jabber:iq:gateway'><prompt>nobody</prompt></query>"
    refused = await alice.iq(GATEWAY, query, "set")
    assert refused["type"] == "error"
    assert "not a mail address" in str(refused)


async def test_a_contact_is_called_as_in_their_mails(mailbox: People) -> None:
    town, alice, rose = mailbox.town, mailbox.alice, puppet(mailbox.rose)
    town.write(mailbox.rose, mailbox.own, "Hello", From=f"Rose Red <{mailbox.rose}>")
    await alice.wait(message(rose), 30.0)
    card = await alice.iq(rose, "<vCard xmlns='vcard-temp'/>")
    assert card.xml.findtext(f"{VCARD}vCard/{VCARD}FN") == "Rose Red"
    assert card.xml.findtext(f"{VCARD}vCard/{VCARD}EMAIL/{VCARD}USERID") == mailbox.rose


async def test_a_contact_is_shown_online(mailbox: People) -> None:
    alice, rose = mailbox.alice, puppet(mailbox.rose)
    alice.send(f"<presence to='{rose}' type='subscribe'/>")
    await alice.wait(presence(rose, ""))


async def test_the_older_form_of_an_address_is_understood(mailbox: People) -> None:
    town, alice = mailbox.town, mailbox.alice
    alice.say(f"{mailbox.rose.replace('@', '%')}@{GATEWAY}", "to the older form")
    mail = await town.got(mailbox.rose, lambda mail: "older form" in mail.get_content())
    town.write(mailbox.rose, mailbox.own, "Yes", In_Reply_To=mail["Message-ID"])
    assert (await alice.wait(message(puppet(mailbox.rose)), 30.0))["body"] == "Yes"


async def test_addresses_that_are_none_are_refused(mailbox: People) -> None:
    alice = mailbox.alice
    stanza_id = alice.say(f"nobody@{GATEWAY}", "Hello?")
    failed = await alice.wait(lambda s: s.name == "message" and s["type"] == "error")
    assert failed["id"] == stanza_id
    assert "not a mail address" in str(failed)
