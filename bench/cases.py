"""The cases: which scenarios run, with how much work, and against which programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from bench import programs, scenarios
from bench.figures import Figures, medians
from bench.mail import large, small
from bench.mail import programs as mail_programs
from bench.sms import programs as sms_programs
from bench.sms import real
from bench.sms import scenarios as sms
from bench.sms.work import Town
from bench.subject import Program
from tests.mail.town import ELSEWHERE, OURS

BOTH = (False, True)
PACE = 200.0

Scenario = Callable[[Program, bool], Awaitable[Figures]]


def _ours(profile: str = "") -> list[Program]:
    return [programs.bridge(profile), programs.floor()]


def _with_mail(profile: str = "") -> list[Program]:
    return [mail_programs.bridge(profile), mail_programs.floor()]


def _bridge_alone(profile: str = "") -> list[Program]:
    return [mail_programs.bridge(profile)]


@dataclass(frozen=True)
class Case:
    """A scenario with its amount of work. `archive`: with which of them it is measured; `peer`: with which
    of them a peer is measured, too; `programs` makes our own, given a file for cProfile."""

    name: str
    title: str
    run: Scenario
    archive: tuple[bool, ...] = BOTH
    peer: tuple[bool, ...] = BOTH
    programs: Callable[..., list[Program]] = _ours


@dataclass
class Result:
    """The runs of a case by program."""

    case: Case
    archive: bool
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    def figures(self, program: str) -> Figures:
        """The medians of a program's runs; empty if it was not measured."""
        return medians(self.runs[program]) if self.runs.get(program) else {}


def every(quick: bool) -> list[Case]:
    """All cases; `quick`: with a tenth of the work."""
    part = 10 if quick else 1
    short, long, lines, out = 20_000 // part, 200_000 // part, 200 // part, 10_000 // part
    users, several, direct, steady = 300 // part, 5_000 // part, 5_000 // part, 1_000 // part
    do = scenarios
    return [
        Case("irc-to-xmpp", f"IRC to XMPP, {short:,} lines", partial(do.from_irc, count=short)),
        Case("irc-to-xmpp-long", f"IRC to XMPP, {long:,} lines", partial(do.from_irc, count=long),
             peer=(False,)),  # biboumi would need minutes for one run with its archive
        Case("fan-out", f"{lines:,} lines to 100 users' connections, a delivery",
             partial(do.from_irc, count=lines, users=100)),
        Case("resources", f"{several:,} lines to 10 resources of one user, a delivery",
             partial(do.from_irc, count=several, resources=10)),
        Case("xmpp-to-irc", f"XMPP to IRC with reflection, {out:,} messages",
             partial(do.to_irc, count=out)),
        Case("direct-in", f"{direct:,} private messages from IRC", partial(do.direct_in, count=direct),
             peer=()),  # peers do not store them
        Case("direct-out", f"{direct:,} private messages to IRC", partial(do.direct_out, count=direct),
             peer=()),
        Case("joins", f"{users} users join a room of 200, a user",
             partial(do.joining, users=users, others=200)),
        Case("latency", f"IRC to XMPP at {PACE:g} a second",
             partial(do.latency, count=steady, pace=PACE)),
        Case("start", "start and rest", do.idle),
        *_mail(500 // part, 100 // part),
        *_sms(5_000 // part, 20.0 / part),
    ]  # fmt: skip


def _mail(burst: int, steady: int) -> list[Case]:
    """Mail: the archive does not matter for it."""

    def case(name: str, title: str, run: Scenario) -> Case:
        alone = name.startswith("mail-large")
        return Case(name, title, run, (True,), (), _bridge_alone if alone else _with_mail)

    def large_in(domain: str, plain: bool = False) -> Scenario:
        return partial(large.incoming, own_domain=domain, plain=plain)

    return [
        case("mail-in", f"{burst} mails to our domain", partial(small.incoming, count=burst)),
        case("mail-out", f"{burst} mails to a smarthost", partial(small.outgoing, count=burst)),
        case("mail-latency", "a mail to our domain", partial(small.latency, count=steady)),
        case("mail-large-smtp", "25 MB to our domain (SMTP)", large_in(OURS)),
        case("mail-large-imap", "25 MB to a mailbox elsewhere (IMAP)", large_in(ELSEWHERE)),
        case("mail-large-text", "25 MB of nothing but text to our domain", large_in(OURS, plain=True)),
        case("mail-large-smarthost", "25 MB to a smarthost", partial(large.outgoing, own_domain=OURS)),
        case("mail-large-submission", "25 MB from a mailbox elsewhere, with a copy in Sent",
             partial(large.outgoing, own_domain=ELSEWHERE)),
    ]  # fmt: skip


def _sms(burst: int, seconds: float) -> list[Case]:
    """Texts: the archive does not matter for them."""

    def case(name: str, title: str, run: Callable[..., Awaitable[Figures]], users: int = 50) -> Case:
        town = Town(users)

        def made(profile: str = "") -> list[Program]:
            return [sms_programs.bridge(town, profile), sms_programs.floor()]

        words = "1 user" if users == 1 else f"{users} users"
        return Case(name, f"{title}, {words}", partial(run, town=town), (True,), (), made)

    steady = partial(sms.both, seconds=seconds, pace=sms.PACE)
    into, out = partial(sms.incoming, count=burst), partial(sms.outgoing, count=burst)
    paced = f"{sms.PACE:g} a second in, and as many out"
    return [
        case("sms-in", f"{burst:,} texts in", into),
        case("sms-in-one", f"{burst:,} texts in", into, 1),
        case("sms-out", f"{burst:,} texts out", out),
        case("sms-out-one", f"{burst:,} texts out", out, 1),
        case("sms-both", paced, steady),
        case("sms-both-one", paced, steady, 1),
        case("sms-both-real", f"{paced}, a real SMSC", partial(real.both, seconds=seconds, pace=sms.PACE)),
    ]


async def measure(case: Case, archive: bool, runs: int, peer: Program | None) -> Result:
    """Run a case again and again: ours, the floor, the peer, ours, ... Raises WrongCount."""
    result = Result(case, archive)
    compared = [*case.programs(), *([peer] if peer is not None and archive in case.peer else [])]
    for _ in range(runs):
        for program in compared:
            result.runs.setdefault(program.name, []).append(await case.run(program, archive))
    return result
