"""What is measured of texts: bursts either way, and both ways at a steady pace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

from bench.ends import PATIENCE, Catch
from bench.figures import CPU, PEAK, Figures, percentile
from bench.scenarios import measured
from bench.sms import check
from bench.sms.ends import SmscEnd
from bench.sms.work import Town
from bench.subject import Program, Subject, running

PACE = 500.0
BEFORE = 10**6
"""The number of the first message that comes before what is measured."""

RATE_IN, RATE_OUT = "in a second", "out a second"
"""Of messages out it is the receipts that are counted, when they reach the user."""
IN, OUT, REPORT = "in", "out", "receipt"
"""A text on its way to the chat, a message to the SMSC, a receipt to the chat."""


def p50(way: str) -> str:
    """The name of a figure: milliseconds that half of the messages do not exceed."""
    return f"{way} p50 ms"


def p99(way: str) -> str:
    """Milliseconds that 99 of 100 messages do not exceed."""
    return f"{way} p99 ms"


async def incoming(program: Program, archive: bool, *, count: int, town: Town) -> Figures:
    """A burst of texts, as fast as they are taken."""
    async with _ready(program, archive, town) as (subject, smsc):
        catch = _catch(subject, smsc, texts=count)
        bodies = [town.deliver(number) for number in range(count)]

        async def work() -> None:
            smsc.deliver(*bodies)

        figures = await measured(subject, work, count, catch, smsc.answers)
        check.messages(catch, town, count, 0)
        return figures


async def outgoing(program: Program, archive: bool, *, count: int, town: Town) -> Figures:
    """A burst of messages, each with a receipt that its user gets."""
    async with _ready(program, archive, town) as (subject, smsc):
        catch = _catch(subject, smsc, messages=count)
        blast = b"".join([town.stanza(number) for number in range(count)])
        work = lambda: subject.xmpp.blast(blast)  # noqa: E731
        figures = await measured(subject, work, count, catch, smsc.submits, smsc.answers)
        check.submits(smsc.submits.reads, town, count)
        check.messages(catch, town, 0, count)
        return figures


async def both(program: Program, archive: bool, *, seconds: float, pace: float, town: Town) -> Figures:
    """So many texts and so many messages each second, one after the other, for so long. CPU is for each text
    and each message, the latter with its receipt."""
    async with _ready(program, archive, town) as (subject, smsc):
        count = int(seconds * pace)
        catch = _catch(subject, smsc, texts=count, messages=count)
        bodies = [town.deliver(number) for number in range(count)]
        messages = [town.stanza(number) for number in range(count)]
        texted: list[float] = []
        said: list[float] = []

        async def work() -> None:
            await asyncio.gather(
                paced(count, pace, texted, lambda number: smsc.deliver(bodies[number])),
                paced(count, pace, said, lambda number: subject.xmpp.write(messages[number])),
            )

        catches = catch, smsc.submits, smsc.answers
        figures = await measured(subject, work, 2 * count, *catches)
        submitted, order = check.submits(smsc.submits.reads, town, count)
        shown, received = check.messages(catch, town, count, count)
        reported = [when for _, when in sorted(zip(order, smsc.reported, strict=True))]
        return {
            CPU: figures[CPU], PEAK: figures[PEAK],
            RATE_IN: rate(texted, shown), RATE_OUT: rate(said, received),
            **waits(IN, texted, shown), **waits(OUT, said, submitted), **waits(REPORT, reported, received),
        }  # fmt: skip


async def paced(count: int, pace: float, sent: list[float], send: Callable[[int], object]) -> None:
    """Send so many at this pace; notes when. What was late for the machine's sake goes at once."""
    began = time.perf_counter()
    for number in range(count):
        wait = began + number / pace - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        sent.append(time.perf_counter())
        send(number)


def rate(sent: Sequence[float], came: Sequence[float]) -> float:
    """How many came a second, from the first that was sent to the last that came."""
    return len(came) / (max(came) - sent[0])


def waits(way: str, sent: Sequence[float], came: Sequence[float]) -> Figures:
    """How long they took, one by one."""
    took = [after - before for before, after in zip(sent, came, strict=True)]
    return {p50(way): percentile(took, 0.5) * 1e3, p99(way): percentile(took, 0.99) * 1e3}


def _catch(subject: Subject, smsc: SmscEnd, *, texts: int = 0, messages: int = 0) -> Catch:
    """What is to come at both ends from now on: texts, messages and their receipts."""
    smsc.expect(messages, texts + messages)
    catch = subject.xmpp.catch = Catch(b"</message>", texts + messages)
    return catch


@contextlib.asynccontextmanager
async def _ready(program: Program, archive: bool, town: Town) -> AsyncIterator[tuple[Subject, SmscEnd]]:
    """The program, bound to the SMSC, with all its users; each has had a text, and sent one."""
    smsc = SmscEnd()
    async with running(program, archive, network=lambda: smsc) as subject:
        async with asyncio.timeout(PATIENCE):
            await smsc.bound.wait()
        smsc.failed = subject.xmpp.failed
        numbers = range(BEFORE, BEFORE + town.users)
        smsc.expect(town.users, town.users)
        catch = subject.xmpp.catch = Catch(b"<body>", town.users)
        smsc.deliver(*map(town.deliver, numbers))
        await subject.within(catch, smsc.answers)
        smsc.expect(town.users, town.users)
        catch = subject.xmpp.catch = Catch(b"<received", town.users)
        await subject.xmpp.blast(b"".join(map(town.stanza, numbers)))
        await subject.within(catch, smsc.answers)
        yield subject, smsc
