"""Texts as chat by a provider's HTTP interface, both ways, with real servers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import pytest_asyncio

from tests.peers.twilio import Behaviour
from tests.peers.xmpp_client import Predicate, XmppClient, message, xmpp_client
from tests.sms.provider_town import ROUTE, Plan, ProviderTown, running_provider_town
from tests.sms.test_chat import TEXT, failure, receipt
from tests.sms.town import ALICE, BOB, puppet

pytestmark = pytest.mark.asyncio(loop_scope="module")

_people = itertools.count(15553100000)
FORM = "application/x-www-form-urlencoded"
OOB = "{jabber:x:oob}x/{jabber:x:oob}url"


def somebody() -> str:
    """A number that no test has met."""
    return f"+{next(_people)}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[ProviderTown]:
    """One for all tests of this module."""
    plan = Plan(numbers={ALICE: ("alice", ROUTE), BOB: ("bob", ROUTE)})
    async with running_provider_town(plan) as town:
        yield town


@pytest_asyncio.fixture(loop_scope="module")
async def alice(town: ProviderTown) -> AsyncIterator[XmppClient]:
    """Alice, whose number the configuration names."""
    async with xmpp_client(town.xmpp, "alice") as alice:
        yield alice


async def sent(town: ProviderTown, alice: XmppClient, number: str, body: str) -> tuple[str, str]:
    """Alice says something: its stanza id, and the provider's."""
    stanza_id = alice.say(puppet(number), body)
    return stanza_id, await town.got(number, body)


async def test_a_text_arrives_and_is_answered(town: ProviderTown, alice: XmppClient) -> None:
    rose = somebody()
    called = await town.texted(rose, ALICE, "Tea at five? 🍵")
    assert (called.attempts, called.media_type) == (1, "text/xml")
    got = await alice.wait(message(puppet(rose)))
    assert got["body"] == "Tea at five? 🍵"
    stanza_id, sid = await sent(town, alice, rose, "Yes, at five. €")
    assert town.provider.messages[sid]["from"] == ALICE
    for status in ("queued", "sent"):
        assert (await town.provider.tell(sid, status)).status == 204
    await alice.sync()
    assert not [s for s in alice.stanzas if receipt(stanza_id)(s)], "it is on its way, no more"
    await town.provider.tell(sid, "delivered")
    await alice.wait(receipt(stanza_id))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (21610, "opted out"),
        (21211, "not a phone number"),
        (21635, "landline"),
        (21408, "may not text that country"),
        (29999, "error 29999"),
    ],
)
async def test_what_the_provider_refuses(
    town: ProviderTown, alice: XmppClient, code: int, words: str
) -> None:
    rose = somebody()
    town.provider.next.append(Behaviour(made=False, status=400, code=code))
    failed = await alice.wait(failure(alice.say(puppet(rose), "hello?")))
    assert words in (failed.xml.findtext(f".//{TEXT}") or "")
    assert rose not in town.provider.phones


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ("undelivered", 30005, "unknown or no longer in service"),
        ("undelivered", 30004, "blocked"),
        ("undelivered", 30006, "landline"),
        ("failed", 30007, "spam"),
        ("failed", 0, "nothing says why"),
    ],
)
async def test_what_fails_on_its_way(
    town: ProviderTown, alice: XmppClient, status: str, code: int, words: str
) -> None:
    rose = somebody()
    stanza_id, sid = await sent(town, alice, rose, "hello?")
    await town.provider.tell(sid, "sent")
    await town.provider.tell(sid, status, code)
    failed = await alice.wait(failure(stanza_id))
    assert str(failed["from"].bare) == puppet(rose)
    assert words in (failed.xml.findtext(f".//{TEXT}") or "")
    await town.provider.tell(sid, status, code)
    await alice.sync()
    assert sum(bool(failure(stanza_id)(s)) for s in alice.stanzas) == 1, "said twice, told once"


async def test_a_provider_that_is_busy_gets_it_later(town: ProviderTown, alice: XmppClient) -> None:
    rose = somebody()
    town.provider.next.append(Behaviour(made=False, status=429, code=20429, headers={"Retry-After": "1"}))
    _, sid = await sent(town, alice, rose, "in your own time")
    assert sum(form["To"] == [rose] for form in town.provider.forms) == 2
    assert town.provider.messages[sid]["status"] == "queued"


async def test_a_provider_with_a_fault_leaves_it_unknown(town: ProviderTown, alice: XmppClient) -> None:
    """Once: it may have been sent."""
    for odd in (Behaviour(status=500), Behaviour(abort=True)):
        rose = somebody()
        town.provider.next.append(odd)
        failed = await alice.wait(failure(alice.say(puppet(rose), "who knows")))
        assert failed["error"]["condition"] == "remote-server-timeout"
        assert town.provider.phones[rose] == ["who knows"]


async def test_files_come_in(town: ProviderTown, alice: XmppClient) -> None:
    rose = somebody()
    town.provider.media["MEcat"] = ("image/png", b"\x89PNG cat")
    town.provider.media["MEdog"] = ("image/jpeg", b"dog")
    await town.texted(rose, ALICE, "look", files=["MEcat", "MEdog"])
    assert (await alice.wait(message(puppet(rose))))["body"] == "look"
    for content, kind in ((b"\x89PNG cat", "image/png"), (b"dog", "image/jpeg")):
        got = await alice.wait(message(puppet(rose)))
        url = got.xml.findtext(OOB)
        assert url == got["body"]
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert (await answer.read(), answer.content_type) == (content, kind)


async def test_files_go_out(town: ProviderTown, alice: XmppClient) -> None:
    rose = somebody()
    url = "https://upload.example.test/abc/cat.png"
    oob = f"<x xmlns='jabber:x:oob'><url>{url}</url></x>"
    alice.send(f"<message to='{puppet(rose)}' type='chat' id='c1'><body>{url}</body>{oob}</message>")
    await town.got(rose, "")
    form = next(form for form in town.provider.forms if form["To"] == [rose])
    assert form["MediaUrl"] == [url]
    url = "http://plain.example.test/abc/cat.png"  # that the provider does not fetch
    oob = f"<x xmlns='jabber:x:oob'><url>{url}</url></x>"
    alice.send(f"<message to='{puppet(rose)}' type='chat' id='c2'><body>{url}</body>{oob}</message>")
    await town.got(rose, url)


async def test_what_is_said_again_is_shown_once(town: ProviderTown, alice: XmppClient) -> None:
    rose = somebody()
    sid = f"SM{'0' * 31}1"
    for _ in range(2):
        called = await asyncio.gather(*(town.texted(rose, ALICE, "once", sid=sid) for _ in range(3)))
        assert {each.status for each in called} == {200}
    await town.texted(rose, ALICE, "the next")
    await alice.wait(message(puppet(rose), "the next"))
    assert [s["body"] for s in alice.stanzas if message(puppet(rose))(s)] == ["once", "the next"]


@pytest.mark.parametrize(("status", "told"), [("delivered", receipt), ("undelivered", failure)])
async def test_a_report_that_overtakes_the_answer(
    town: ProviderTown, alice: XmppClient, status: str, told: Callable[[str], Predicate]
) -> None:
    rose = somebody()
    odd = Behaviour(hang=asyncio.Event())
    town.provider.next.append(odd)
    stanza_id, sid = await sent(town, alice, rose, "how fast")
    telling = asyncio.create_task(town.provider.tell(sid, status))
    _, waits = await asyncio.wait({telling}, timeout=0.3)
    assert waits, "it waits for the answer to its message"
    assert odd.hang is not None
    odd.hang.set()
    await alice.wait(told(stanza_id))
    assert (await telling).status == 204


async def test_a_failure_after_a_restart(town: ProviderTown, alice: XmppClient) -> None:
    """With a client that was there all the time, and for a user who has none any more."""
    rose = somebody()
    stanza_id, sid = await sent(town, alice, rose, "see you")
    async with xmpp_client(town.xmpp, "bob", "old") as bob:
        told_later, later = await sent(town, bob, rose, "or later")
    await town.remembered(sid, later)
    await town.restart(crash=True)
    await town.provider.tell(sid, "undelivered", 30003)
    failed = await alice.wait(failure(stanza_id))
    assert "cannot be reached" in (failed.xml.findtext(f".//{TEXT}") or "")
    await town.provider.tell(later, "undelivered", 30003)
    async with xmpp_client(town.xmpp, "bob", "new") as bob:
        told = await bob.wait(lambda s: s.name == "message" and str(s["from"].bare) == puppet(rose))
        assert "cannot be reached" in str(told)
        assert told_later


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("unsigned", 403),
        ("signed by somebody else", 403),
        ("signed for another address", 403),
        ("too big", 413),
        ("not UTF-8", 400),
        ("no form", 400),
        ("no number", 400),
        ("nobody's number", 404),
        ("nobody's route", 404),
        ("GET", 405),
    ],
)
async def test_what_is_turned_away(town: ProviderTown, alice: XmppClient, case: str, status: int) -> None:
    rose, path = somebody(), f"/{ROUTE}/in"
    fields = {"MessageSid": f"SM{case.encode().hex()}", "From": rose, "To": ALICE, "Body": case}
    body = None
    if case == "nobody's number":
        fields["To"] = "+15550009999"
    if case == "no number":
        del fields["From"]
    headers = town.signed(path, fields)
    if case == "unsigned":
        headers = {}
    if case == "signed by somebody else":
        headers = {"X-Twilio-Signature": "A" * 27 + "="}
    if case == "signed for another address":
        headers = town.signed(f"/{ROUTE}/status", fields)
    if case == "nobody's route":
        path = "/elsewhere/in"
    if case == "too big":
        body = b"x" * 70_000
    if case == "not UTF-8":
        body = b"Body=%FF%FE&From=%2B1&To=%2B1"
    if case == "no form":
        headers["Content-Type"] = "text/plain"
    method = "GET" if case == "GET" else "POST"
    sent_body = body if body is not None else "&".join(f"{k}={quoted(v)}" for k, v in fields.items()).encode()
    called = await town.post(path, sent_body, headers, method)
    assert (called.status, "Traceback" in called.body) == (status, False)
    await town.texted(rose, ALICE, "a good one")
    await alice.wait(message(puppet(rose), "a good one"))
    assert len([s for s in alice.stanzas if message(puppet(rose))(s)]) == 1
    assert "Traceback" not in town.bridge.log_text()


def quoted(text: str) -> str:
    return text.replace("+", "%2B").replace(" ", "%20").replace("'", "%27")
