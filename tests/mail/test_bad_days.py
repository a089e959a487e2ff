"""What mail servers do on bad days, and how their users hear of it; nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.mail.flood import Flood, flood
from tests.mail.processes import below
from tests.mail.reader import until
from tests.mail.town import ELSEWHERE, OURS, PASSWORD, Town, puppet, running_town
from tests.peers.tls import make_certificates
from tests.peers.xmpp_client import XmppClient, message, xmpp_client
from tests.plug.outages import small_disk

pytestmark = pytest.mark.heavy

ROSE = f"rose@{ELSEWHERE}"
TEXT = ".//{urn:ietf:params:xml:ns:xmpp-stanzas}text"
IDLE = "idle = 5\n"
HURRIED = "tests.mail.hurried"


@pytest.fixture
def town() -> Iterator[Town]:
    """A town of its own, since its servers are hurt."""
    with running_town(extra=IDLE) as town:
        town.add_mailbox(ROSE)
        yield town


@asynccontextmanager
async def alice_at(town: Town, domain: str) -> AsyncIterator[tuple[XmppClient, str]]:
    """Alice, registered with an address there."""
    own = f"alice@{domain}"
    async with xmpp_client(town.xmpp, "alice") as alice:
        if domain == ELSEWHERE:
            town.add_mailbox(own)
            await town.register(alice, email=own, password=PASSWORD, **town.servers())
        else:
            await town.register(alice, email=own)
        yield alice, own


def error_for(stanza_id: str) -> object:
    """For `wait`: what is told of a message."""
    return lambda s: s.name == "message" and s["type"] == "error" and s["id"] == stanza_id


async def told(alice: XmppClient, words: str, seconds: float = 60.0) -> str:
    """The first text with these words in it."""
    found = await alice.wait(lambda s: s.name == "message" and words in s["body"], seconds, words)
    return str(found["body"])


async def test_a_certificate_expires(tmp_path: Path) -> None:
    bad = make_certificates(tmp_path, "mail.example.org", expired=True)
    with running_town(extra=IDLE, also_trusted=bad.ca_file, module=HURRIED) as town:
        town.add_mailbox(ROSE)
        async with alice_at(town, ELSEWHERE) as (alice, own):
            good, kept = town.dovecot.certificates, tmp_path / "kept"
            kept.mkdir()
            for here, there in ((good.cert_file, bad.cert_file), (good.key_file, bad.key_file)):
                shutil.copy(here, kept / here.name)
                shutil.copy(there, here)
            await town.dovecot.restart()
            await told(alice, "its certificate has expired")
            town.write(ROSE, own, "while it was expired")
            for here in (good.cert_file, good.key_file):
                shutil.copy(kept / here.name, here)
            await town.dovecot.restart()
            await alice.wait(message(puppet(ROSE), "while it was expired"), 60.0)


@pytest.mark.parametrize("domain", [OURS, ELSEWHERE])
async def test_the_mailbox_of_the_correspondent_is_full(domain: str) -> None:
    with running_town(quota="20K") as town:
        town.add_mailbox(ROSE)
        town.dovecot.deliver(ROSE, b"Subject: big\r\n\r\n" + b"x" * 70 * 200 + b"\r\n")
        async with alice_at(town, domain) as (alice, _):
            body = "y" * 9000
            stanza_id = alice.say(puppet(ROSE), body)
            failed = await alice.wait(error_for(stanza_id), 60.0)  # type: ignore[arg-type]
            text = failed.xml.findtext(TEXT) or ""
            assert "full" in text, text
            assert "quota" in text.lower(), text


async def test_a_server_that_says_not_now(town: Town) -> None:
    grey = f"inline:{{ {{ {ROSE} = 450 4.7.1 Greylisted, come again }} }}"
    usual = "permit_mynetworks, permit_sasl_authenticated, reject"
    await town.postfix.configure(smtpd_recipient_restrictions=f"check_recipient_access {grey}, {usual}")
    async with alice_at(town, OURS) as (alice, _):
        alice.say(puppet(ROSE), "patience")
        text = await told(alice, "Not sent yet", 30.0)
        assert "greylisting" in text
        assert "Greylisted, come again" in text
        assert "tried again by itself" in text
        await town.postfix.configure(smtpd_recipient_restrictions=usual)
        await town.got(ROSE, lambda mail: "patience" in mail.get_content(), seconds=90.0)


async def test_the_password_is_changed(town: Town) -> None:
    async with alice_at(town, ELSEWHERE) as (alice, own):
        town.dovecot.add_account(own, "another")
        await asyncio.to_thread(town.dovecot.doveadm, "kick", own)
        text = await told(alice, "The login was refused")
        assert "localhost" in text
        assert "said:" in text
        town.write(ROSE, own, "while you were locked out")
        stanza_id = alice.say(puppet(ROSE), "hello?")
        failed = await alice.wait(error_for(stanza_id))  # type: ignore[arg-type]
        assert "login was refused" in (failed.xml.findtext(TEXT) or "")
        await town.register(alice, email=own, password="another", **town.servers())
        await alice.wait(message(puppet(ROSE), "while you were locked out"), 30.0)
        alice.say(puppet(ROSE), "here I am")
        await town.got(ROSE, lambda mail: "here I am" in mail.get_content())


async def test_the_imap_server_hangs(town: Town) -> None:
    async with alice_at(town, ELSEWHERE) as (alice, own):
        hung = below(town.dovecot.pid, "dovecot/imap")
        hung = [pid for pid in hung if pid not in below(town.dovecot.pid, "dovecot/imap-")]
        assert hung
        for pid in hung:
            os.kill(pid, signal.SIGSTOP)
        try:
            town.write(ROSE, own, "while it hung")
            await alice.wait(message(puppet(ROSE), "while it hung"), 110.0)
        finally:
            for pid in hung:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("mailbox", [False, True], ids=["domain", "mailbox"])
async def test_the_worker_is_killed(mailbox: bool) -> None:
    with running_town() as town:
        async with flood(town, mailbox=mailbox, count=60, seed=22) as place:
            await place.run(lambda: _no_worker(place), 5)
            await place.all_in()
            await place.all_out()
            await place.check("worker killed 5 times")


async def _no_worker(place: Flood) -> None:
    """Kill it, and return when another has read a mail: one that two die of is not read a third time."""
    town = place.town

    def found() -> list[int]:
        return below(town.bridge.pid, "backends.email.worker")

    await until(found, 30, lambda: "a worker")
    for pid in found():
        os.kill(pid, signal.SIGKILL)
    text = await place.one_more()
    await until(lambda: place.seen() and text in place.reader.found, 60, place.missing)


@pytest.mark.parametrize("mailbox", [False, True], ids=["domain", "mailbox"])
async def test_the_spool_is_full(mailbox: bool) -> None:
    extra = 'spool = "{}"\n'
    with small_disk(8) as (folder, filler), running_town(extra=extra.format(folder), module=HURRIED) as town:
        async with flood(town, mailbox=mailbox, count=40, seed=23) as place:

            async def strike() -> None:
                try:
                    await noticed(place, mailbox, folder / "filler")
                finally:
                    filler.end()

            await place.run(strike, 1)
            await place.all_in(90)
            await place.all_out()
            await place.check("spool full")


async def noticed(place: Flood, mailbox: bool, filler: Path) -> None:
    """Fill the disk, again where files that were in it are gone, and send mails, until somebody is told."""

    async def was_told() -> bool:
        if mailbox:
            place.reader.look()
            return any("no room" in text for text in place.reader.told)
        return any("452 4.3.1" in str(mail) for mail in await asyncio.to_thread(place.town.postfix.queue))

    async with asyncio.timeout(60):
        while not await was_told():
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            if len(place.extra) < 30:
                await place.one_more()
            await asyncio.sleep(0.2)
