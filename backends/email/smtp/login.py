"""Knows how to log in to a mail server (RFC 4954), with one attempt for one password: some servers lock out
who tries a wrong one by every mechanism in turn."""

from __future__ import annotations

import aiosmtplib
import msgspec

from backends.email.smtp.connection import ServerSaid, explain
from backends.email.smtp.replies import Reply, meaning, words_of
from bridge.api import AuthFailed, ConnectionLost, Reason


class Login(msgspec.Struct, frozen=True):
    """What a user logs in with. Never shown, never logged."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


_ENCRYPTED = ("plain", "login", "cram-md5")
_IN_THE_OPEN = ("cram-md5", "plain", "login")


async def log_in(smtp: aiosmtplib.SMTP, name: str, login: Login, seconds: float) -> None:
    """Log in. Raises `AuthFailed` with the server's words, `ServerSaid` where it cannot tell now (4xx),
    `ConnectionLost`."""
    mechanism = _choose(smtp)
    if mechanism is None:
        raise AuthFailed(f"{name} offers no login that the bridge can do. Check the server's name and port.")
    method = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}[mechanism]
    try:
        await method(login.user, login.password, timeout=seconds)
    except aiosmtplib.SMTPAuthenticationError as error:
        reply = Reply(error.code, error.message)
        if not 500 <= reply.code < 600:
            raise ServerSaid(reply) from error
        raise AuthFailed(_why(reply, name)) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise ConnectionLost(explain(error, name, "the login")) from error


def _choose(smtp: aiosmtplib.SMTP) -> str | None:
    encrypted = smtp.get_transport_info("sslcontext") is not None
    order = _ENCRYPTED if encrypted else _IN_THE_OPEN
    return next((each for each in order if each in smtp.server_auth_methods), None)


def _why(reply: Reply, name: str) -> str:
    reason, sentence = meaning(reply.code, reply.status, reply.text)
    if reply.code == 535 or reason is Reason.NOT_AUTHORIZED:
        sentence = "The mail server does not take this user name and password."
    return f"{sentence} {name} says: {words_of(reply)}"
