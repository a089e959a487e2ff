"""Knows how a registration is tried before it is accepted: candidates in order, reading and then sending, and
what a user is told who could not be logged in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from backends.email.discovery.found import Candidate, Found
from backends.email.imap.dial import dial, hang_up
from backends.email.imap.login import Credentials, log_in
from backends.email.imap.settings import Settings
from backends.email.values import Server
from bridge.api import AuthFailed, ConnectionLost, ProtocolError, RegistrationRefused, Resolver

LogIn = Callable[[Server, str, str], Awaitable[None]]
"""Logs in at a server with a user name and a password, and leaves. Raises `AuthFailed`, `ConnectionLost`,
`ProtocolError`."""

_ONE = 12.0
_MOST_SAID = 6


class Login(msgspec.Struct, frozen=True):
    """Where a login succeeded, and under which name."""

    server: Server
    user: str


class Tried(msgspec.Struct, frozen=True):
    """Both sides of a mailbox, as they were tried."""

    imap: Login
    smtp: Login


def imap_login(resolver: Resolver, context: ssl.SSLContext) -> LogIn:
    """The IMAP side of `try_login`."""
    settings = Settings(connect=_ONE, answer=_ONE)

    async def log_in_and_leave(server: Server, user: str, password: str) -> None:
        link = await dial(server, resolver, context, settings)
        try:
            await log_in(link, Credentials(user, password))
        finally:
            await hang_up(link)

    return log_in_and_leave


async def try_login(
    found: Found, password: str, log_in_imap: LogIn, log_in_smtp: LogIn, seconds: float = 45.0
) -> Tried:
    """Log in for reading and for sending, at the first candidates that take the password. Raises
    `RegistrationRefused`: its text says which server said what."""
    half = seconds / 2
    imap = await _first(found.imap, password, log_in_imap, half, "reading mail (IMAP)", found.tried)
    # The name that was right for reading is the likeliest for sending.
    smtp_candidates = tuple(
        msgspec.structs.replace(each, users=tuple(sorted(each.users, key=lambda user: user != imap.user)))
        for each in found.smtp
    )
    smtp = await _first(smtp_candidates, password, log_in_smtp, half, "sending mail (SMTP)", found.tried)
    return Tried(imap, smtp)


async def _first(
    candidates: Sequence[Candidate],
    password: str,
    log_in_there: LogIn,
    seconds: float,
    purpose: str,
    tried: Sequence[str],
) -> Login:
    said: list[str] = []
    refused = False
    try:
        async with asyncio.timeout(seconds):
            for candidate in candidates:
                login, words, refused_here = await _one(candidate, password, log_in_there)
                if login is not None:
                    return login
                said += words
                refused = refused or refused_here
                if refused_here and not candidate.guessed:
                    break
    except TimeoutError:
        said.append("the others were not tried any more: there was no time left")
    raise RegistrationRefused(_refusal(purpose, said, tried, refused), "password" if refused else "")


async def _one(
    candidate: Candidate, password: str, log_in_there: LogIn
) -> tuple[Login | None, list[str], bool]:
    """The login, or what was said instead, and whether that was a refusal."""
    said: list[str] = []
    where = f"{candidate.server.host}, port {candidate.server.port}"
    for user in candidate.users:
        try:
            async with asyncio.timeout(_ONE):
                await log_in_there(candidate.server, user, password)
        except AuthFailed as error:
            said.append(f"as {user}: {error}")
        except (ConnectionLost, ProtocolError) as error:
            text = str(error)
            return None, [*said, text if candidate.server.host in text else f"{where}: {text}"], bool(said)
        except TimeoutError:
            return None, [*said, f"{where}: it does not answer"], bool(said)
        else:
            return Login(candidate.server, user), [], False
    return None, said, True


def _refusal(purpose: str, said: Sequence[str], tried: Sequence[str], refused: bool) -> str:
    said = list(dict.fromkeys(said))
    lines = [f"The login for {purpose} did not succeed."]
    if not said:
        lines = [f"No server for {purpose} was found; name it by hand.", *tried]
    elif refused:
        lines.append("Are address and password right? Some providers want a password made for one program.")
    return "\n".join([*lines, *(f"- {each}" for each in said[:_MOST_SAID])])
