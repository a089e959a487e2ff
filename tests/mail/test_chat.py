"""Mail as chat, both ways, with real servers."""

from __future__ import annotations

from email.message import EmailMessage

import aiohttp
import pytest

from tests.mail.conftest import NICK, OOB, REPLY, SUBJECT, THREAD, People
from tests.mail.town import puppet
from tests.peers.xmpp_client import message


async def test_a_mail_arrives_and_is_answered(people: People) -> None:
    town, alice, rose = people.town, people.alice, puppet(people.rose)
    sent = town.write(
        people.rose,
        people.own,
        "Shall we meet?\n\n-- \nRose\n",
        From=f"Rose Red <{people.rose}>",
        Subject="Tea",
    )
    got = await alice.wait(message(rose), 30.0)
    assert got["body"] == "Shall we meet?\n[…] /original"
    assert got.xml.findtext(SUBJECT) == "Tea"
    assert got.xml.findtext(NICK) == "Rose Red"
    thread = got.xml.findtext(THREAD)
    assert thread

    alice.say(rose, "Yes, at five.")
    mail = await town.got(people.rose, lambda mail: "at five" in mail.get_content())
    assert mail["Subject"] == "Re: Tea"
    assert mail["In-Reply-To"] == f"<{sent}>"
    assert mail["References"] == f"<{sent}>"
    assert mail["From"] == f"Alice <{people.own}>"
    assert mail["To"] == f"Rose Red <{people.rose}>"
    assert mail.get_content_type() == "text/plain"

    quote = "On some day, Alice wrote:\n> Yes, at five.\n"
    town.write(
        people.rose,
        people.own,
        f"Fine!\n\n{quote}",
        Subject="Re: Tea",
        In_Reply_To=mail["Message-ID"],
        References=f"<{sent}> {mail['Message-ID']}",
    )
    got = await alice.wait(message(rose), 30.0)
    assert got["body"] == "Fine!\n[…] /original"
    assert got.xml.find(SUBJECT) is None
    assert got.xml.findtext(THREAD) == thread
    reply = got.xml.find(REPLY)
    assert reply is not None
    assert reply.get("to") == alice.bare

    alice.say(rose, "/original")
    whole = await alice.wait(message(rose), 30.0)
    async with aiohttp.ClientSession() as session, session.get(whole["body"]) as response:
        assert "Yes, at five." in await response.text()


async def test_files_go_both_ways(people: People) -> None:
    town, alice, rose = people.town, people.alice, puppet(people.rose)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = people.rose, people.own, "Pictures"
    mail["Message-ID"] = f"<pictures.{people.rose}>"
    mail.set_content("Look.")
    mail.add_attachment(b"\x89PNG\r\n" * 2000, maintype="image", subtype="png", filename="höhe.png")
    mail.add_attachment("a,b\n1,2\n", subtype="csv", filename="table.csv")
    town.send(people.rose, people.own, mail)
    assert (await alice.wait(message(rose), 30.0))["body"] == "Look."
    picture = await alice.wait(message(rose), 30.0)
    url = picture.xml.findtext(OOB)
    assert url == picture["body"]
    table = await alice.wait(message(rose), 30.0)
    assert table["body"].endswith("table.csv")
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.read() == b"\x89PNG\r\n" * 2000
    alice.send(
        f"<message to='{rose}' type='chat' id='file1'><body>{url}</body>"
        f"<x xmlns='jabber:x:oob'><url>{url}</url></x></message>"
    )
    back = await town.got(people.rose, lambda mail: list(mail.iter_attachments()))
    (attachment,) = back.iter_attachments()
    assert attachment.get_content() == b"\x89PNG\r\n" * 2000
    assert attachment.get_content_type() == "image/png"


async def test_a_reply_goes_on_from_the_mail_that_it_answers(people: People) -> None:
    town, alice, rose = people.town, people.alice, puppet(people.rose)
    first = town.write(people.rose, people.own, "one", Subject="First")
    one = await alice.wait(message(rose, "one"), 30.0)
    town.write(people.rose, people.own, "two", Subject="Second")
    await alice.wait(message(rose, "two"), 30.0)
    alice.send(
        f"<message to='{rose}' type='chat' id='r1'><body>about one</body>"
        f"<reply xmlns='urn:xmpp:reply:0' to='{rose}' id='{one['id']}'/></message>"
    )
    mail = await town.got(people.rose, lambda mail: "about one" in mail.get_content())
    assert (mail["Subject"], mail["In-Reply-To"]) == ("Re: First", f"<{first}>")


async def test_subjects_begin_conversations(people: People) -> None:
    town, alice, rose = people.town, people.alice, puppet(people.rose)
    alice.say(rose, "Subject: Holidays\nWhere to?")
    mail = await town.got(people.rose, lambda mail: mail["Subject"] == "Holidays")
    assert mail.get_content().strip() == "Where to?"
    alice.send(
        f"<message to='{rose}' type='chat' id='s1'><subject>Work</subject><body>*Bold* words</body></message>"
    )
    mail = await town.got(people.rose, lambda mail: mail["Subject"] == "Work")
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["In-Reply-To"] is None
    alice.say(rose, "more on that")
    mail = await town.got(people.rose, lambda mail: mail["Subject"] == "Re: Work")
    assert mail["In-Reply-To"]


async def test_a_bounce_is_an_error_for_the_message(people: People) -> None:
    alice = people.alice
    nobody = puppet("nobody-there@example.org")
    stanza_id = alice.say(nobody, "Hello?")
    failed = await alice.wait(lambda s: s.name == "message" and s["type"] == "error", 60.0)
    assert (failed["id"], str(failed["from"])) == (stanza_id, nobody)
    text = failed.xml.findtext(".//{urn:ietf:params:xml:ns:xmpp-stanzas}text")
    assert text


async def test_displayed_marks_the_mail_as_read(mailbox: People) -> None:
    town, alice, rose = mailbox.town, mailbox.alice, puppet(mailbox.rose)
    town.write(mailbox.rose, mailbox.own, "read me")
    got = await alice.wait(message(rose, "read me"), 30.0)
    assert "S" not in town.dovecot.flags(mailbox.own)[0]
    alice.send(
        f"<message to='{rose}' type='chat' id='d1'>"
        f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{got['id']}'/></message>"
    )
    await town.got(mailbox.own, lambda mail: "S" in town.dovecot.flags(mailbox.own)[0])


async def test_a_copy_is_kept_in_sent(mailbox: People) -> None:
    town, alice, rose = mailbox.town, mailbox.alice, puppet(mailbox.rose)
    alice.say(rose, "for the record")
    copy = await town.got(mailbox.own, lambda mail: "for the record" in mail.get_content(), "Sent")
    assert copy["To"] == mailbox.rose


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"email": "nonsense"}, "not a mail address"),
        ({"email": "x@y.invalid"}, "password is missing"),
        ({"email": "postmaster@chat.example.org"}, "reserved"),
        ({"email": "a..b@chat.example.org"}, "small letters"),
    ],
)
async def test_registrations_that_are_refused(mailbox: People, fields: dict[str, str], text: str) -> None:
    answer = await mailbox.town.try_register(mailbox.alice, **fields)
    assert text in str(answer), answer


async def test_a_wrong_password_is_told_with_what_the_server_said(mailbox: People) -> None:
    town = mailbox.town
    answer = await town.try_register(mailbox.alice, email=mailbox.own, password="wrong", **town.servers())
    assert "localhost" in str(answer), answer
    assert "password" in str(answer), answer
