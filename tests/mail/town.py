"""A town with mail: an XMPP server with clients, the bridge, mailboxes at Dovecot, Postfix between them."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.peers.bridge import Bridge, BridgeSetup, running_bridge
from tests.peers.daemon import free_port, scratch
from tests.peers.dovecot import Dovecot, running_dovecot
from tests.peers.postfix import Postfix, Route, running_postfix
from tests.peers.prosody import ProsodySetup, running_prosody
from tests.peers.xmpp_client import XmppClient, XmppServer

GATEWAY = "email.example.test"
OURS = "chat.example.org"
ELSEWHERE = "example.org"
PASSWORD = 'pass "word" & <more>'


def puppet(address: str) -> str:
    """The JID that stands for a mail address."""
    return f"{address.replace('@', chr(92) + '40')}@{GATEWAY}"


@dataclass
class Town:
    """All servers of the town. `write` sends a mail in by Postfix, `mailbox` is what somebody elsewhere
    got."""

    xmpp: XmppServer
    dovecot: Dovecot
    postfix: Postfix
    bridge: Bridge

    def add_mailbox(self, address: str) -> None:
        """Somebody has a mailbox elsewhere."""
        self.dovecot.add_account(address, PASSWORD)

    def write(self, sender: str, to: str, text: str = "", **headers: str) -> str:
        """A plain mail; returns its Message-ID, without brackets."""
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"], mail["To"], mail["Date"] = headers.pop("From", sender), to, formatdate()
        mail["Message-ID"] = headers.pop("Message_ID", make_msgid(domain="elsewhere.example"))
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        self.send(sender, to, mail)
        return str(mail["Message-ID"])[1:-1]

    def send(self, sender: str, to: str, mail: EmailMessage | bytes) -> None:
        """Any mail."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as smtp:
            smtp.sendmail(sender, [to], mail if isinstance(mail, bytes) else bytes(mail))

    def mailbox(self, address: str, mailbox: str = "") -> list[EmailMessage]:
        """The mails in somebody's mailbox elsewhere."""
        parser = BytesParser(policy=policy.default)
        return [parser.parsebytes(raw) for raw in self.dovecot.mails(address, mailbox)]

    async def got(
        self, address: str, where: Callable[[EmailMessage], object], mailbox: str = "", seconds: float = 30.0
    ) -> EmailMessage:
        """The first mail like that, once it is in the mailbox."""
        async with asyncio.timeout(seconds):
            while True:
                for mail in await asyncio.to_thread(self.mailbox, address, mailbox):
                    if where(mail):
                        return mail
                await asyncio.sleep(0.05)

    async def register(self, client: XmppClient, **fields: str) -> None:
        """Register with the gateway (XEP-0077), and wait until the account is connected."""
        answer = await self.try_register(client, **fields)
        assert answer["type"] == "result", answer
        await client.wait(lambda s: s.name == "presence" and s["status"] == fields["email"], 30.0)

    async def try_register(self, client: XmppClient, **fields: str) -> Any:
        """The answer to a registration by data form."""
        form = "".join(
            f"<field var='{name}'><value>{escape(value)}</value></field>" for name, value in fields.items()
        )
        head = "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>"
        query = f"<x xmlns='jabber:x:data' type='submit'>{head}{form}</x>"
        return await client.iq(
            GATEWAY, f"<query xmlns='jabber:iq:register'>{query}</query>", "set", seconds=90.0
        )

    def servers(self) -> dict[str, str]:
        """Where mailboxes elsewhere are, for the registration form."""
        return {
            "imap_server": f"localhost:{self.dovecot.tls_port}",
            "smtp_server": f"localhost:{self.postfix.submission_port}",
        }


def options(dovecot: Dovecot, postfix: Postfix, ca_file: Path, lmtp_port: int, smtp_port: int) -> str:
    """The options of the email backend in that town."""
    return (
        f'domain = "{OURS}"\nlmtp_listen = "127.0.0.1:{lmtp_port}"\nsmtp_listen = "127.0.0.1:{smtp_port}"\n'
        f'smarthost = "localhost:{postfix.port}"\nca_file = "{ca_file}"\n'
        f'cert_file = "{postfix.folder / "cert.pem"}"\nkey_file = "{postfix.folder / "key.pem"}"\n'
        f'postmaster = "admin@{OURS}"\n'
    )


@contextlib.contextmanager
def running_town(
    xmpp: XmppServer | None = None,
    extra: str = "",
    module: str = "bridge",
    *,
    way_in: str = "lmtp",
    quota: str = "",
    also_trusted: Path | None = None,
) -> Iterator[Town]:
    """A fresh town, gone after the `with`. `way_in` is how Postfix hands mail to the bridge, `quota` that of
    mailboxes elsewhere; `extra` are lines of the backend's options, `module` is what runs as the bridge,
    `also_trusted` another authority."""
    with contextlib.ExitStack() as stack:
        if xmpp is None:
            setup = ProsodySetup(components={GATEWAY: "sekrit"})
            xmpp = stack.enter_context(running_prosody(setup))
        dovecot = stack.enter_context(running_dovecot(quota=quota))
        lmtp_port, smtp_port = free_port(), free_port()
        in_port = {"lmtp": lmtp_port, "smtp": smtp_port}[way_in]
        routes = [Route(ELSEWHERE, dovecot.lmtp_port), Route(OURS, in_port, way_in)]
        postfix = stack.enter_context(running_postfix(routes, dovecot.auth_port))
        folder = stack.enter_context(scratch("mail-town"))
        ca_file = folder / "both.pem"
        trusted = [dovecot.ca_file, postfix.ca_file, *([also_trusted] if also_trusted else [])]
        ca_file.write_bytes(b"".join(file.read_bytes() for file in trusted))
        bridge_setup = BridgeSetup(
            backend="email",
            domain=GATEWAY,
            module=module,
            options=options(dovecot, postfix, ca_file, lmtp_port, smtp_port) + extra,
        )
        bridge = stack.enter_context(running_bridge(xmpp, bridge_setup))
        yield Town(xmpp, dovecot, postfix, bridge)


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())
