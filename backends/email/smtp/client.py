"""Hands mails to mail servers (submission servers, smarthosts), and tries logins."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

import msgspec

from backends.email.smtp import retries
from backends.email.smtp.address import is_address
from backends.email.smtp.connection import ServerSaid, TimeLimits
from backends.email.smtp.dial import Dialler
from backends.email.smtp.login import Login
from backends.email.smtp.pool import Pool, PoolLimits
from backends.email.smtp.replies import outcome, words_of
from backends.email.smtp.survey import Survey, survey
from backends.email.smtp.transaction import Attempt, Mail, Transaction
from backends.email.values import Server
from bridge.api import AuthFailed, ConnectionLost, Later, Outcome, Reason, Refused, Resolver

TRIAL = TimeLimits(connect=10.0, greeting=15.0, login=20.0, command=10.0)
"""The time limits of `try_login`: a user waits for the answer."""


class Handed(msgspec.Struct, frozen=True):
    """What became of a mail: an outcome for each recipient. `login_refused`: the server does not take the
    login, and what it says (empty: it was not that); the outcomes are `Refused` then, nothing was sent."""

    outcomes: Mapping[str, Outcome]
    login_refused: str = ""


class Submitter:
    """Hands mails over. One for a gateway domain; `close` it at the end.

    `ca_file` names a CA to trust instead of the system's; `helo` is how the bridge calls itself."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        ca_file: str = "",
        helo: str = "",
        limits: TimeLimits | None = None,
        pool: PoolLimits | None = None,
    ) -> None:
        dialler = Dialler(resolver, ca_file=ca_file, helo=helo, limits=limits)
        self._pool = Pool(dialler.dial, pool)

    async def send(self, server: Server, login: Login | None, mail: Mail, *, attempts: int = 1) -> Handed:
        """Hand a mail to a server.

        `attempts` is how often it was tried, this time included: the pause in a `Later` grows with it
        (`retries.pause`); `retries.judge` says when to give up. May take minutes where a server is slow, and
        can be cancelled. Raises `OSError` if the file cannot be read, `ValueError` if the sender is no
        address, or the mail has a Bcc header."""
        if mail.sender and not is_address(mail.sender):
            raise ValueError("the sender of a mail is no address")
        bad = {each: _no_address(each) for each in mail.recipients if not is_address(each)}
        good = [each for each in dict.fromkeys(mail.recipients) if each not in bad]
        if not good:
            return Handed(bad)
        surveyed = await asyncio.to_thread(survey, mail.path)
        attempt = Attempt(attempts, random.random())
        handed = await self._hand(server, login, mail, surveyed, attempt, good)
        return Handed({**handed.outcomes, **bad}, handed.login_refused)

    async def _hand(
        self,
        server: Server,
        login: Login | None,
        mail: Mail,
        surveyed: Survey,
        attempt: Attempt,
        recipients: Sequence[str],
    ) -> Handed:
        outcomes: dict[str, Outcome] = {}
        fresh = False
        while left := [each for each in recipients if each not in outcomes]:
            used = False
            try:
                async with self._pool.lend(server, login, fresh=fresh) as (connection, used):
                    transaction = Transaction(connection, mail, surveyed, attempt)
                    outcomes |= await transaction.run(left)
            except ConnectionLost as error:
                # A server may close an idle connection at any time: that says nothing about the next.
                if used and not fresh:
                    fresh = True
                    continue
                later = Later(retries.soon(attempt.number, attempt.jitter), str(error))
                return Handed({**dict.fromkeys(left, later), **outcomes})
            except ServerSaid as error:
                said = outcome(error.reply, f"{server.host}:{server.port}", attempt.number, attempt.jitter)
                if isinstance(said, Later) and not retries.greylisted(error.reply.text):
                    said = Later(retries.soon(attempt.number, attempt.jitter), said.why)
                return Handed({**dict.fromkeys(left, said), **outcomes})
            except AuthFailed as error:
                refused = Refused(Reason.NOT_AUTHORIZED, str(error))
                return Handed({**dict.fromkeys(left, refused), **outcomes}, str(error))
        return Handed(outcomes)

    async def close(self) -> None:
        """Close the connections that wait for the next mail."""
        await self._pool.close()


def _no_address(text: str) -> Refused:
    return Refused(Reason.BAD_REQUEST, f"{text!r} is no mail address.")


async def try_login(
    server: Server, user: str, password: str, resolver: Resolver, *, ca_file: str = "", helo: str = ""
) -> None:
    """Connect, log in and leave. Raises `AuthFailed` where the server does not take the login,
    `ConnectionLost` where that could not be found out; both say which server said what. Takes 60 s at
    most."""
    dialler = Dialler(resolver, ca_file=ca_file, helo=helo, limits=TRIAL)
    try:
        async with asyncio.timeout(55.0):
            connection = await dialler.dial(server, Login(user, password))
    except TimeoutError as error:
        raise ConnectionLost(f"{server.host}:{server.port} took too long.") from error
    except ServerSaid as error:
        raise ConnectionLost(f"{server.host}:{server.port} says: {words_of(error.reply)}") from error
    await connection.quit()
