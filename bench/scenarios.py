"""What is measured: each scenario sends prepared work through a program, checks what came out, and gives
figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench import check
from bench.ends import Catch, WrongCount
from bench.figures import (
    CPU,
    IDLE,
    P50,
    P99,
    PEAK,
    RATE,
    START,
    START_CPU,
    USER_KIB,
    WALL,
    Figures,
    megabytes,
    percentile,
)
from bench.subject import Program, Subject, running
from bench.work import CHANNEL, ROOM, bare, contact, irc_lines, person, stanzas, user

AFTERMATH = 1.0
"""Seconds after the last message whose CPU time counts, too: what was put off belongs to the price."""

_MESSAGE = b"</message>"
_ROUND = 10  # lines for one connection before the next has its turn: servers write to all in small pieces


async def from_irc(
    program: Program, archive: bool, *, count: int, users: int = 1, resources: int = 1
) -> Figures:
    """A burst from IRC into a room with `users`, each by a connection of their own, or with `resources` of
    one user. CPU and rate are of one delivery: a message that reached one resource."""
    async with running(program, archive) as subject:
        jids = [user(number, resource) for number in range(users) for resource in range(resources)]
        await enter(subject, jids)
        catch = subject.xmpp.catch = Catch(_MESSAGE, count * len(jids))
        parts = [
            irc_lines(CHANNEL, range(at, min(at + _ROUND, count))) for at in range(0, count, _ROUND)
        ] if users > 1 else [irc_lines(CHANNEL, range(count))]  # fmt: skip
        figures = await measured(subject, lambda: blast_from_irc(subject, parts), count * len(jids), catch)
        check.messages(catch.data(), jids, f"{ROOM}/{person(0)}", count)
        check_archive(subject, count * users)
        return figures


async def to_irc(program: Program, archive: bool, *, count: int) -> Figures:
    """A burst from one user to a room; done when all were said on IRC and all were reflected to the user."""
    async with running(program, archive) as subject:
        await enter(subject, [user()])
        said, catch = Catch(b"\r\n", count), Catch(_MESSAGE, count)
        subject.irc.said, subject.xmpp.catch = said, catch
        data = stanzas("groupchat", ROOM, count)
        figures = await measured(subject, lambda: subject.xmpp.blast(data), count, said, catch)
        check.lines(said.data(), CHANNEL, count)
        check.messages(catch.data(), [user()], f"{ROOM}/{nick_of(user())}", count)
        check_archive(subject, count)
        return figures


async def direct_in(program: Program, archive: bool, *, count: int) -> Figures:
    """A burst of private messages from IRC to one user. They are stored before they are delivered."""
    async with running(program, archive) as subject:
        await enter(subject, [user()])
        catch = subject.xmpp.catch = Catch(_MESSAGE, count)
        data = irc_lines(nick_of(user()), range(count))
        figures = await measured(subject, lambda: blast_from_irc(subject, [data]), count, catch)
        check.messages(catch.data(), [bare(user())], contact(person(0)), count)
        return figures


async def direct_out(program: Program, archive: bool, *, count: int) -> Figures:
    """A burst of private messages from one user to somebody on IRC. They are stored before they are sent."""
    async with running(program, archive) as subject:
        await enter(subject, [user()])
        said = subject.irc.said = Catch(b"\r\n", count)
        data = stanzas("chat", contact(person(0)), count)
        figures = await measured(subject, lambda: subject.xmpp.blast(data), count, said)
        check.lines(said.data(), person(0), count)
        return figures


async def joining(program: Program, archive: bool, *, users: int, others: int) -> Figures:
    """Users who join one room with `others` in it, each by a connection of their own: CPU and memory for
    each of them, and the time for all."""
    async with running(program, archive, others) as subject:
        await enter(subject, [user(users)])  # what the first costs is not what a user costs
        nicks = {user(number): nick_of(user(number)) for number in range(users)}
        await subject.program.prepare(subject, list(nicks))
        before, catches = subject.rss(), []

        async def work() -> None:
            catches.append(await subject.join(list(nicks), list(nicks.values())))

        figures = await measured(subject, work, users)
        figures |= {USER_KIB: (subject.rss() - before) / users, WALL: users / figures[RATE]}
        check.presences(catches[0].data(), nicks, others)
        return figures


async def latency(program: Program, archive: bool, *, count: int, pace: float) -> Figures:
    """Messages from IRC, `pace` a second: the time from the write of a line at one end to the read of its
    stanza at the other."""
    async with running(program, archive) as subject:
        await enter(subject, [user()])
        connection = subject.irc.connections[nick_of(user())]
        catch = subject.xmpp.catch = Catch(_MESSAGE, count)
        sent: list[float] = []

        async def work() -> None:
            began = time.perf_counter()
            for number in range(count):
                await asyncio.sleep(began + number / pace - time.perf_counter())
                sent.append(time.perf_counter())
                connection.write(irc_lines(CHANNEL, [number]))

        figures = await measured(subject, work, count, catch)
        check.messages(catch.data(), [user()], f"{ROOM}/{person(0)}", count)
        check_archive(subject, count)
        waits = [came - left for came, left in zip(check.arrivals(catch, _MESSAGE), sent, strict=True)]
        return {
            P50: percentile(waits, 0.5) * 1e3, P99: percentile(waits, 0.99) * 1e3,
            CPU: figures[CPU], PEAK: figures[PEAK],
        }  # fmt: skip


async def idle(program: Program, archive: bool) -> Figures:
    """Start and rest: the time and the CPU to the handshake, and the memory two seconds later."""
    async with running(program, archive):
        pass  # so that all modules are compiled
    async with running(program, archive) as subject:
        cpu = subject.cpu()
        await asyncio.sleep(2 * AFTERMATH)
        return {START: subject.started, START_CPU: cpu, IDLE: megabytes(subject.rss())}


def nick_of(jid: str) -> str:
    """The nick under which a user's resources are in the room."""
    return bare(jid).partition("@")[0]


async def enter(subject: Subject, jids: list[str]) -> None:
    """Bring resources into the room: first one of each user, then the others."""
    first = list({bare(jid): jid for jid in reversed(jids)}.values())
    await subject.program.prepare(subject, first)
    for some in (first, [jid for jid in jids if jid not in first]):
        if some:
            await subject.join(some, [nick_of(jid) for jid in some])


async def blast_from_irc(subject: Subject, parts: list[bytes]) -> None:
    """Send lines to all that are connected, as fast as they are read."""
    if len(parts) == 1:
        (connection,) = subject.irc.connections.values()
        await connection.blast(parts[0])
    else:
        await subject.irc.blast(parts)


async def measured(
    subject: Subject, work: Callable[[], Awaitable[None]], count: int, *catches: Catch
) -> Figures:
    """Do the work, wait for what it makes and for what was put off: the price of each of `count`."""
    before, began = subject.cpu(), time.perf_counter()
    await work()
    await subject.within(*catches)
    finished = max([catch.finished for catch in catches], default=time.perf_counter())
    await asyncio.sleep(max(0.0, finished + AFTERMATH - time.perf_counter()))
    cpu = subject.cpu() - before
    return {CPU: cpu / count * 1e6, RATE: count / (finished - began), PEAK: megabytes(subject.peak())}


def check_archive(subject: Subject, count: int) -> None:
    """The archive has what it should, on disk. Raises WrongCount."""
    expected = count if subject.ground.archive else 0
    if (archived := subject.archived()) != expected:
        raise WrongCount(f"{subject.program.name} archived {archived} messages, not {expected}")
