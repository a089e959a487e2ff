"""The email side of the demo: a gateway with a mail domain of its own, and alice's address in it."""

from __future__ import annotations

from pathlib import Path

from mail import ALICE

from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import xmpp_client

GATEWAY = "email.localhost"
DOMAIN = ALICE.partition("@")[2]
NAME = "Alice"


def gateway(secret: str, listen_port: int, smarthost_port: int) -> str:
    """The gateway's part of the bridge's configuration."""
    return f"""
[gateway."{GATEWAY}"]
backend = "email"
secret = "{secret}"
[gateway."{GATEWAY}".options]
mailboxes = false
domain = "{DOMAIN}"
smtp_listen = "127.0.0.1:{listen_port}"
smarthost = "127.0.0.1:{smarthost_port}"
smarthost_tls = "off"
"""


async def sign_up(prosody: Prosody) -> None:
    """Give alice her address, as she would by her client's registration form. Raises AssertionError."""
    fields = {"FORM_TYPE": "jabber:iq:register", "email": ALICE, "name": NAME}
    form = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields.items())
    query = f"<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>{form}</x></query>"
    async with xmpp_client(prosody, "alice") as alice:
        answer = await alice.iq(GATEWAY, query, "set", seconds=30.0)
        if answer["type"] != "result":
            raise AssertionError(f"alice could not register with {GATEWAY}: {answer}")
        alice.send(f"<presence to='{GATEWAY}' type='subscribed'/><presence to='{GATEWAY}' type='subscribe'/>")
        await alice.wait(lambda s: s.name == "presence" and s["status"] == ALICE, 30.0)


def command(port: int) -> str:
    """The line that sends a mail to alice."""
    script = Path(__file__).with_name("mail.py")
    return f'python3 {script} {port} "Shall we meet in the garden at five?"'
