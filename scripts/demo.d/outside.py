"""The rest of the world's mail: a small mail server that takes what leaves the demo, and shows it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from aiosmtpd.smtp import SMTP, Envelope, Session
from terminal import boxed

MAIL_SECONDS = 60.0
_SHOWN = ("From", "To", "Subject", "In-Reply-To")


class Outside:
    """Takes every mail. `came` are those that did; `tell` is given each as text."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.came: list[EmailMessage] = []
        self.port = 0
        self._tell = tell
        self._news = asyncio.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook for a whole mail."""
        content = envelope.original_content or b""
        mail = BytesParser(policy=policy.default).parsebytes(content)
        self.came.append(mail)
        self._tell(as_text(mail))
        self._news.set()
        return "250 2.0.0 Taken"

    async def got(self, text: str) -> EmailMessage:
        """The first mail with this text, once it has come. Raises AssertionError when it does not."""
        try:
            async with asyncio.timeout(MAIL_SECONDS):
                while True:
                    self._news.clear()
                    for mail in self.came:
                        if text in _body(mail):
                            return mail
                    await self._news.wait()
        except TimeoutError:
            shown = "\n".join(map(as_text, self.came)) or "(no mail)"
            raise AssertionError(f"no mail with {text!r} came in {MAIL_SECONDS:g} s, but:\n{shown}") from None


def as_text(mail: EmailMessage) -> str:
    """A mail for a terminal: what matters of its header, and its text."""
    header = [f"{name}: {mail[name]}" for name in _SHOWN if mail[name]]
    files = [f"[{part.get_filename()}, {part.get_content_type()}]" for part in mail.iter_attachments()]
    return boxed("a mail left", [*header, "", *_body(mail).splitlines(), *files])


def _body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    return str(part.get_content()) if part is not None else ""


@contextlib.asynccontextmanager
async def running_outside(tell: Callable[[str], object]) -> AsyncIterator[Outside]:
    """The mail server on a free port of loopback, gone after the block."""
    outside = Outside(tell)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(outside, hostname="meadow.localhost", loop=loop, data_size_limit=None), "127.0.0.1", 0
    )
    outside.port = server.sockets[0].getsockname()[1]
    try:
        yield outside
    finally:
        server.close()
