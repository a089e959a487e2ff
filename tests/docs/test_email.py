"""What docs/email.md says to write into Postfix, Prosody and ejabberd works as it stands (but for ports)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.peers.bridge import Bridge, BridgeSetup, running_bridge
from tests.peers.daemon import free_port, own, running, scratch
from tests.peers.ejabberd import Ejabberd, EjabberdSetup
from tests.peers.postfix import running_postfix
from tests.peers.prosody import Prosody, ProsodySetup, running_prosody
from tests.peers.xmpp_client import XmppClient, message, xmpp_client

PAGE = (Path(__file__).parents[2] / "docs" / "email.md").read_text()
GATEWAY, OURS = "email.example.com", "chat.example.org"
COMPONENTS = {GATEWAY: "sekrit"}
ROSE = f"rose\\40example.org@{GATEWAY}"


def snippet(mark: str) -> str:
    """The code block below `<!-- tested: mark -->`."""
    found = re.search(rf"<!-- tested: {mark} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, f"docs/email.md has no snippet for {mark}"
    return found.group(1)


def setup(listen: str, smarthost_port: int) -> BridgeSetup:
    """A mail domain, as the page has it."""
    options = re.search(r'email.example.com".options\]\n(.*?)```', PAGE, re.DOTALL)
    assert options is not None
    text = re.sub(r"^lmtp_listen = .*$", listen, options.group(1), flags=re.MULTILINE)
    text = text.replace("localhost:25", f"localhost:{smarthost_port}")
    return BridgeSetup(backend="email", domain=GATEWAY, options=text)


async def register(alice: XmppClient) -> None:
    """alice@chat.example.org is hers."""
    field = f"<field var='email'><value>alice@{OURS}</value></field>"
    head = "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>"
    form = f"<x xmlns='jabber:x:data' type='submit'>{head}{field}</x>"
    answer = await alice.iq(GATEWAY, f"<query xmlns='jabber:iq:register'>{form}</query>", "set", seconds=30.0)
    assert answer["type"] == "result", answer


def send(port: int, to: str, mail: EmailMessage) -> None:
    """Deliver a mail by SMTP. Raises smtplib.SMTPRecipientsRefused."""
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(mail, "rose@example.org", [to])


def a_mail(to: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "rose@example.org", to, f"<{to}>"
    mail.set_content("Look.")
    return mail


async def test_the_lines_for_postfix() -> None:
    lines = dict(line.split(" = ", 1) for line in snippet("postfix").replace(" =\n", " = \n").splitlines())
    lmtp = free_port()
    lines["transport_maps"] = lines["transport_maps"].replace("2024", str(lmtp))
    lines["mynetworks"] = "192.0.2.0/24"  # not us: we are a server on the internet
    with (
        running_prosody(ProsodySetup(host="example.com", components=COMPONENTS)) as prosody,
        running_postfix([], settings=lines) as postfix,
        running_bridge(prosody, setup(f'lmtp_listen = "127.0.0.1:{lmtp}"', postfix.port)),
    ):
        async with xmpp_client(prosody, "alice") as alice:
            await register(alice)
            await asyncio.to_thread(send, postfix.port, f"alice@{OURS}", a_mail(f"alice@{OURS}"))
            assert (await alice.wait(message(ROSE), 30.0))["body"] == "Look."
            with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
                await asyncio.to_thread(send, postfix.port, f"nobody@{OURS}", a_mail(f"nobody@{OURS}"))


def merged(old: Any, new: Any) -> Any:
    """YAML into YAML."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old.get(key), value) for key, value in new.items()}
    return new


@contextlib.contextmanager
def prosody_of_the_page() -> Iterator[Prosody]:
    with scratch("prosody") as folder:
        server = Prosody(folder, ProsodySetup(host="example.com", components=COMPONENTS))
        text = server.config_file.read_text()
        ours = r'Component "upload.example.com" "http_file_share"\n.*size_limit.*\n'
        assert re.search(ours, text)
        server.config_file.write_text(re.sub(ours, snippet("prosody-upload"), text))
        with running(server):
            yield server


@contextlib.contextmanager
def ejabberd_of_the_page() -> Iterator[Ejabberd]:
    with scratch("ejabberd", Ejabberd.user) as folder:
        server = Ejabberd(folder, EjabberdSetup(host="example.com", components=COMPONENTS))
        config = yaml.safe_load(server.config_file.read_text())
        config["modules"]["mod_http_upload"].pop("access")
        config = merged(config, yaml.safe_load(snippet("ejabberd-upload")))
        server.config_file.write_text(yaml.safe_dump(config, sort_keys=False))
        own(folder, server.user)
        with running(server):
            server.add_user("alice", server.password("alice"))
            yield server


@pytest.mark.parametrize("page", [prosody_of_the_page, ejabberd_of_the_page], ids=["prosody", "ejabberd"])
async def test_files_are_shown_with_the_lines_for_the_upload_service(page: Any) -> None:
    port = free_port()
    with page() as server, scratch("bridge") as folder:
        bridge = Bridge(folder, server, setup(f'smtp_listen = "127.0.0.1:{port}"', 1))
        with running(bridge):
            async with xmpp_client(server, "alice") as alice:
                await register(alice)
                mail = a_mail(f"alice@{OURS}")
                mail.add_attachment("a,b\n1,2\n", subtype="csv", filename="table.csv")
                await asyncio.to_thread(send, port, f"alice@{OURS}", mail)
                assert (await alice.wait(message(ROSE), 30.0))["body"] == "Look."
                url = (await alice.wait(message(ROSE), 30.0)).xml.findtext(
                    "{jabber:x:oob}x/{jabber:x:oob}url"
                )
                assert str(url).endswith("table.csv"), bridge.log_tail()
