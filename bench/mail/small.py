"""Small mails: what one costs, in and out, and how long it takes from the mail server to the chat client."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from xml.etree import ElementTree

from bench.ends import Catch, WrongCount
from bench.figures import P50, P99, Figures, percentile
from bench.mail.ends import OWN, Sender, SmtpEnd, address, small
from bench.scenarios import measured
from bench.subject import Program, Subject, running
from bench.work import DOMAIN, NETWORK, ODD, bare, contact, person, stanzas, text, user

CONNECTIONS = 5
CORRESPONDENTS = 10
_MESSAGE = re.compile(rb"<message\b[^<>]*[^/<>]>.*?</message>", re.DOTALL)
_FORM = (
    "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>"
    f"<field var='email'><value>{OWN}</value></field></x></query>"
)


async def incoming(program: Program, archive: bool, *, count: int) -> Figures:
    """A burst over several connections to our domain."""
    async with _registered(program, archive, Catch(b"\r\n.\r\n", 1)) as (subject, first):
        senders = [first, *[await Sender.connect(subject.ground.listen_port) for _ in range(CONNECTIONS - 1)]]
        catch = subject.xmpp.catch = Catch(b"</message>", count)

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                for at, sender in enumerate(senders):
                    mails = [small(number, at) for number in range(at, count, CONNECTIONS)]
                    group.create_task(sender.send_all(mails, address(at)))

        figures = await measured(subject, work, count, catch)
        for sender in senders:
            sender.close()
        _check_messages(catch.data(), count)
        return figures


async def outgoing(program: Program, archive: bool, *, count: int) -> Figures:
    """A burst of messages from one user to some correspondents, to the smarthost."""
    said = Catch(b"\r\n.\r\n", count)
    async with _registered(program, archive, said) as (subject, sender):
        sender.close()
        data = stanzas("chat", contact(person(0)), count).decode()
        parts = data.split("</message>")[:-1]
        mixed = [
            part.replace(person(0), person(number % CORRESPONDENTS)) for number, part in enumerate(parts)
        ]
        blast = "".join(f"{part}</message>" for part in mixed).encode()
        figures = await measured(subject, lambda: subject.xmpp.blast(blast), count, said)
        _check_mails(said.data(), count)
        return figures


async def latency(program: Program, archive: bool, *, count: int) -> Figures:
    """Mails one after the other: from the first octet of the mail on the wire to the read of its stanza."""
    async with _registered(program, archive, Catch(b"\r\n.\r\n", 1)) as (subject, sender):
        waits, all_read = [], b""
        for number in range(count):
            catch = subject.xmpp.catch = Catch(b"</message>", 1)
            began = await sender.send(small(number), address(0))
            await subject.within(catch)
            waits.append(catch.finished - began)
            all_read += catch.data()
        sender.close()
        _check_messages(all_read, count)
        return {P50: percentile(waits, 0.5) * 1e3, P99: percentile(waits, 0.99) * 1e3}


@contextlib.asynccontextmanager
async def _registered(program: Program, archive: bool, said: Catch) -> AsyncIterator[tuple[Subject, Sender]]:
    """The program with a user who has an address, and has had a mail: all is loaded, the worker runs."""
    async with running(program, archive, network=lambda: SmtpEnd(said)) as subject:
        subject.xmpp.catch = None
        answer = await subject.xmpp.request(user(), DOMAIN, "set", _FORM)
        if b"result" not in answer.partition(b">")[0]:
            raise WrongCount(f"could not register: {answer.decode()}")
        sender = await Sender.connect(subject.ground.listen_port)
        catch = subject.xmpp.catch = Catch(b"</message>", 1)
        await sender.send(small(-1), address(0))
        await subject.within(catch)
        yield subject, sender


def _check_messages(data: bytes, count: int) -> None:
    """Each mail was told once, of the right sender, unharmed. Raises WrongCount."""
    came: Counter[str] = Counter()
    senders = {f"{person(at)}\\40{NETWORK}@{DOMAIN}" for at in range(CONNECTIONS)}
    for stanza in _MESSAGE.findall(data):
        message = ElementTree.fromstring(stanza)
        if message.get("from") not in senders or bare(message.get("to", "")) != bare(user()):
            raise WrongCount(f"not expected: {stanza.decode()}")
        came[message.findtext("body") or ""] += 1
    _check(came, count)


def _check_mails(data: bytes, count: int) -> None:
    came: Counter[str] = Counter()
    for raw in data.split(b"\r\n.\r\n")[:-1]:
        mail = message_from_bytes(raw + b"\r\n", policy=policy.default)
        part = mail.get_body(("plain",))
        body = str(part.get_content()).strip() if part is not None else ""
        number = int(body.split()[1]) if ODD in body else -1
        if mail["To"] is None or address(number % CORRESPONDENTS) not in str(mail["To"]):
            raise WrongCount(f"a mail to somebody else: {mail['To']}: {body}")
        came[body] += 1
    _check(came, count)


def _check(came: Counter[str], count: int) -> None:
    expected = Counter(text(number) for number in range(count))
    if came != expected:
        missing, more = list((expected - came).keys())[:3], list((came - expected).items())[:3]
        raise WrongCount(f"missing {missing}, too many {more}")
