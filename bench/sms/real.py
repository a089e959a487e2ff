"""The steady pace with a real SMSC, that of the test suite on npm's `smpp`. It is one process more, and busy;
so this shows that the pace holds, and no latency."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any

from bench.ends import PATIENCE, Catch, WrongCount
from bench.figures import CPU, PEAK, Figures
from bench.scenarios import measured
from bench.sms import check
from bench.sms.ends import WINDOW
from bench.sms.scenarios import BEFORE, RATE_IN, RATE_OUT, paced, rate
from bench.sms.work import Town, to_gsm
from bench.subject import Ground, Program, Subject, running
from bench.work import text
from tests.peers.smsc import PhoneNetwork, Smsc, address, phone_network, running_smsc


async def both(program: Program, archive: bool, *, seconds: float, pace: float, town: Town) -> Figures:
    """As `bench.sms.scenarios.both`."""
    with running_smsc() as server:
        async with running(_bound_to(program, server), archive) as subject, phone_network(server) as phones:
            await _ready(subject, phones, town)
            return await _measured(subject, phones, town, int(seconds * pace), pace)


async def _measured(subject: Subject, phones: PhoneNetwork, town: Town, count: int, pace: float) -> Figures:
    phones.events.clear()
    catch = subject.xmpp.catch = Catch(b"</message>", 2 * count)
    messages = [town.stanza(number) for number in range(count)]
    texted: list[float] = []
    said: list[float] = []

    async def work() -> None:
        await asyncio.gather(
            _texts(phones, town, count, pace, texted),
            paced(count, pace, said, lambda number: subject.xmpp.write(messages[number])),
        )

    figures = await measured(subject, work, 2 * count, catch)
    shown, received = check.messages(catch, town, count, count)
    await _answered(phones)
    _check(phones, town, count)
    return {
        CPU: figures[CPU], PEAK: figures[PEAK],
        RATE_IN: rate(texted, shown), RATE_OUT: rate(said, received),
    }  # fmt: skip


async def _ready(subject: Subject, phones: PhoneNetwork, town: Town) -> None:
    """Bound, and each user has had a text and sent one."""
    await phones.set(window=WINDOW)
    async with asyncio.timeout(PATIENCE):
        while not (await phones.counts())["sessions"]:
            await asyncio.sleep(0.05)
    numbers = range(BEFORE, BEFORE + town.users)
    catch = subject.xmpp.catch = Catch(b"<body>", town.users)
    await phones.do("deliver_many", list=[_text(town, number) for number in numbers])
    await subject.within(catch)
    catch = subject.xmpp.catch = Catch(b"<received", town.users)
    await subject.xmpp.blast(b"".join(map(town.stanza, numbers)))
    await subject.within(catch)
    await _answered(phones)


async def _answered(phones: PhoneNetwork) -> None:
    """Return when nothing is to be answered by us any more; all that happened is in the events then."""
    async with asyncio.timeout(PATIENCE):
        while await phones.do("waiting"):
            await asyncio.sleep(0.01)


async def _texts(phones: PhoneNetwork, town: Town, count: int, pace: float, sent: list[float]) -> None:
    """So many at this pace; those that are due when the SMSC has answered go together."""
    began = time.perf_counter()
    while len(sent) < count:
        now = time.perf_counter()
        due = min(count, int((now - began) * pace) + 1)
        if due > len(sent):
            numbers = range(len(sent), due)
            sent += [now] * len(numbers)
            await phones.do("deliver_many", list=[_text(town, number) for number in numbers])
        await asyncio.sleep(max(0.0, began + len(sent) / pace - time.perf_counter()))


def _text(town: Town, number: int) -> dict[str, Any]:
    said = {"short_message": {"hex": to_gsm(text(number)).hex()}, "data_coding": 0}
    return {"fields": {**address(town.phone(number), town.own(number)), **said}}


def _bound_to(program: Program, server: Smsc) -> Program:
    def words(ground: Ground) -> list[str]:
        return program.words(dataclasses.replace(ground, irc_port=server.port))

    return dataclasses.replace(program, words=words)


def _check(phones: PhoneNetwork, town: Town, count: int) -> None:
    """Each message is on its phone once, and each text was taken at the first try. Raises WrongCount."""
    came = check.Arrivals("messages", count)
    for event in phones.of_kind("text"):
        number = int(event["text"].split(" ")[1])
        numbers = f"+{event['from']}", f"+{event['to']}"
        right = numbers == (town.own(number), town.phone(number)) and event["text"] == text(number)
        came.add(number, 0.0, right, event["text"])
        came.in_order(number)
    came.all()
    answers = phones.of_kind("answer")
    wrong = [each for each in answers if each["status"] or each["tries"] != 1]
    if wrong or len(answers) != 2 * count:
        raise WrongCount(f"{len(answers)} answers of {2 * count}, not as they should be: {wrong[:3]}")
