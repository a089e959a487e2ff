"""The SMS side of the demo: a gateway with one route, to the short message centre, and alice's number."""

from __future__ import annotations

from pathlib import Path

from phone import ALICE

from tests.peers.prosody import Prosody
from tests.peers.smsc import INSTALLED, PASSWORD, SYSTEM_ID, Smsc
from tests.peers.xmpp_client import xmpp_client

GATEWAY = "sms.localhost"
USER = "alice"


def phones_are_there() -> bool:
    """Whether npm could install what the message centre needs."""
    return INSTALLED.is_file()


def gateway(secret: str, smsc: Smsc, user: str) -> str:
    """The gateway's part of the bridge's configuration: `user` (a JID) has alice's number."""
    password_file = smsc.folder / "password"
    password_file.write_text(f"{PASSWORD}\n")
    return f"""
[gateway."{GATEWAY}"]
backend = "sms"
secret = "{secret}"
allow_private_networks = true
[gateway."{GATEWAY}".options]
country = "US"
[gateway."{GATEWAY}".options.routes.main]
carrier = "smpp"
host = "localhost"
port = {smsc.tls_port}
ca_file = "{smsc.ca_file}"
system_id = "{SYSTEM_ID}"
password_file = "{password_file}"
[gateway."{GATEWAY}".options.numbers]
"{ALICE}" = {{ user = "{user}" }}
"""


async def accept(prosody: Prosody) -> None:
    """The gateway asks to be in alice's roster; she says yes. Raises AssertionError."""
    async with xmpp_client(prosody, USER) as alice:
        alice.send(f"<presence to='{GATEWAY}' type='subscribed'/><presence to='{GATEWAY}' type='subscribe'/>")
        await alice.wait(lambda s: s["from"] == GATEWAY and s["type"] == "available", 30.0)


def command(port: int) -> str:
    """The line that sends alice a text."""
    script = Path(__file__).with_name("phone.py")
    return f'python3 {script} {port} "Are the roses out yet?"'
