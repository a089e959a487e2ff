"""Numbers that the admin gives: in the configuration, by the command `register-user`, in chat."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.peers.xmpp_client import XmppClient, message, presence, xmpp_client
from tests.sms.provider_town import ROUTE, Plan, ProviderTown, running_provider_town
from tests.sms.test_chat import failure, somebody
from tests.sms.test_own_accounts import why
from tests.sms.town import ALICE, BOB, CAROL, GATEWAY, puppet
from tests.xmpp_info.test_adhoc import note, run
from tests.xmpp_info.xml import fields, submit

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count(15555100000)
FORM = "<query xmlns='jabber:iq:register'/>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[ProviderTown]:
    """Alice and bob have numbers by configuration, carol and dave none."""
    plan = Plan(numbers={ALICE: ("alice", ROUTE), BOB: ("bob", ROUTE)}, admins=("admin",))
    async with running_provider_town(plan) as town:
        for number in (CAROL, *(f"+{15555100000 + count}" for count in range(20))):
            town.account.add_number(number, sms_url=town.account.numbers[ALICE]["sms_url"])
        yield town


@pytest_asyncio.fixture(loop_scope="module")
async def admin(town: ProviderTown) -> AsyncIterator[XmppClient]:
    """The gateway's admin."""
    async with xmpp_client(town.xmpp, "admin") as admin:
        yield admin


def number() -> str:
    """One of the gateway's that nobody has."""
    return f"+{next(_numbers)}"


async def gives(town: ProviderTown, admin: XmppClient, user: str, **values: str) -> str:
    """What the admin reads who registers a user."""
    session = (await run(admin, GATEWAY, "register-user")).get("sessionid", "")
    jid = town.xmpp.jid(user)
    asked = await run(admin, GATEWAY, "register-user", submit(jid=jid), sessionid=session)
    assert {"numbers", "configured", "texts_per_day"} <= set(fields(asked))
    return note(await run(admin, GATEWAY, "register-user", submit(**values), sessionid=session))


async def gets(town: ProviderTown, client: XmppClient, number: str, body: str) -> str:
    """A text comes for a number; from whom."""
    rose = somebody()
    await town.texted(rose, number, body)
    await client.wait(message(puppet(rose), body))
    return rose


async def says(town: ProviderTown, client: XmppClient, to: str, body: str) -> str:
    """Something is said; from which number it comes."""
    client.say(puppet(to), body)
    return str(town.provider.messages[await town.got(to, body)]["from"])


async def refused(client: XmppClient) -> str:
    """Something is said, and does not go out; with which condition."""
    failed = await client.wait(failure(client.say(puppet(somebody()), "hello")))
    return str(failed["error"]["condition"])


async def nobody_gets(town: ProviderTown, number: str) -> None:
    called = await town.provider.text(somebody(), number, "for nobody")
    assert called.status == 404


async def test_who_is_named_in_the_configuration_need_do_nothing(town: ProviderTown) -> None:
    async with xmpp_client(town.xmpp, "alice") as alice:
        await alice.wait(presence(GATEWAY, "subscribe"))
        rose = await gets(town, alice, ALICE, "good morning")
        assert await says(town, alice, rose, "good morning yourself") == ALICE


async def test_a_number_by_command(town: ProviderTown, admin: XmppClient) -> None:
    async with xmpp_client(town.xmpp, "carol") as carol:
        assert await refused(carol) == "registration-required"
        assert await gives(town, admin, "carol", numbers=CAROL) == (
            f"{town.xmpp.jid('carol')} is registered with {GATEWAY}."
        )
        await carol.wait(presence(GATEWAY, "subscribe"))
        rose = await gets(town, carol, CAROL, "for carol")
        assert await says(town, carol, rose, "from carol") == CAROL
        another = number()
        await gives(town, admin, "carol", numbers=f"{another} {ROUTE}")
        assert await says(town, carol, somebody(), "from another") == another
        await nobody_gets(town, CAROL)


async def test_a_number_in_chat(town: ProviderTown, admin: XmppClient) -> None:
    async with xmpp_client(town.xmpp, "dave") as dave:
        given = number()
        admin.say(GATEWAY, f"register-user {town.xmpp.jid('dave')} numbers={given} texts_per_day=1")
        assert "is registered" in (await admin.wait(message(GATEWAY)))["body"]
        rose = await gets(town, dave, given, "for dave")
        assert await says(town, dave, rose, "from dave") == given
        assert await refused(dave) == "resource-constraint", "one a day"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (BOB, f"{BOB} is taken"),
        ("+15550001234 nowhere", "no route"),
        ("rubbish!", "no number"),
        ("", "no number"),
    ],
)
async def test_what_the_admin_cannot_give(
    town: ProviderTown, admin: XmppClient, numbers: str, words: str
) -> None:
    assert words in await gives(town, admin, "admin", numbers=numbers, configured="")


async def test_nobody_gives_themselves_a_number(town: ProviderTown) -> None:
    """By filling in what is not in their form."""
    wanted = number()
    async with xmpp_client(town.xmpp, "admin") as newcomer, xmpp_client(town.xmpp, "bob") as bob:
        for client in (newcomer, bob):
            form = await client.iq(GATEWAY, FORM)
            assert not {"numbers", "configured", "texts_per_day"} & set(fields(form.xml[0]))
        assert "no number here" in why(await town.ask(newcomer, numbers=wanted, configured=wanted))
        kept = await town.ask(bob, numbers=wanted, configured=wanted, texts_per_day="9999", notice="2")
        assert kept["type"] == "result"
        await nobody_gets(town, wanted)
        assert await says(town, bob, somebody(), "still bob") == BOB
        await gets(town, bob, BOB, "still for bob")


async def test_numbers_move_with_the_configuration(town: ProviderTown, admin: XmppClient) -> None:
    async with xmpp_client(town.xmpp, "alice") as alice, xmpp_client(town.xmpp, "bob") as bob:
        rose = await gets(town, alice, ALICE, "to alice")
        town.configure({ALICE: ("bob", ROUTE), BOB: ("bob", ROUTE)})
        await town.restart()
        await gets(town, bob, ALICE, "to bob now")
        assert await says(town, bob, somebody(), "bob's first") in (ALICE, BOB)
        alice.say(puppet(rose), "me?")
        failed = await alice.wait(lambda s: s.name == "message" and s["type"] == "error")
        assert failed["error"]["condition"] in ("not-authorized", "registration-required")
        assert "no number here" in str(failed)
        assert "no number here" in why(await town.ask(alice, notice="3"))
        given = number()
        await gives(town, admin, "alice", numbers=given)
        rose = await gets(town, alice, given, "to alice again")
        assert await says(town, alice, rose, "from alice again") == given
        assert (await town.ask(alice, notice="3"))["type"] == "result"
        assert await says(town, alice, rose, "and again") == given
        assert not [s for s in alice.stanzas if s["body"] == "to bob now"]


async def test_what_the_admin_gave_the_configuration_may_take(town: ProviderTown, admin: XmppClient) -> None:
    """The first no longer gets texts for it, nor can send from it."""
    given, other = number(), number()
    await gives(town, admin, "alice", numbers=f"{given}\n{other}", configured="")
    async with xmpp_client(town.xmpp, "alice") as alice, xmpp_client(town.xmpp, "bob") as bob:
        rose = await gets(town, alice, given, "before")
        town.configure({given: ("bob", ROUTE)})
        await town.restart()
        await gets(town, bob, given, "after")
        assert await says(town, alice, rose, "from what is left") == other
        assert (await town.ask(alice, notice="3"))["type"] == "result"


async def test_a_number_that_is_no_longer_configured(town: ProviderTown, admin: XmppClient) -> None:
    """It is nobody's, and another may have it."""
    once = number()
    town.configure({once: ("bob", ROUTE), BOB: ("bob", ROUTE)})
    await town.restart()
    async with xmpp_client(town.xmpp, "bob") as bob, xmpp_client(town.xmpp, "carol") as carol:
        await gets(town, bob, once, "while it is bob's")
        town.configure({})
        await town.restart()
        await nobody_gets(town, once)
        assert await refused(bob) == "not-authorized"
        await gives(town, admin, "carol", numbers=once)
        await gets(town, carol, once, "while it is carol's")
