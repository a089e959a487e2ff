"""A town with phones: an XMPP server with clients, the bridge, and a short message centre with phones behind
it; a provider with an HTTP interface, too, where it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.peers.bridge import Bridge, BridgeSetup, running_bridge
from tests.peers.daemon import scratch
from tests.peers.prosody import ProsodySetup, running_prosody
from tests.peers.smsc import PASSWORD, SYSTEM_ID, PhoneNetwork, Smsc, running_smsc
from tests.peers.xmpp_client import XmppClient, XmppServer

GATEWAY = "sms.example.test"
ALICE, BOB, CAROL = "+15550001111", "+15550002222", "+15550003333"
"""The numbers of the users whom the configuration names."""
ALSO_ALICE = "+15550001112"


def puppet(number: str) -> str:
    """The JID that stands for a number, or for another sender."""
    return f"{number.replace(' ', chr(92) + '20')}@{GATEWAY}"


@dataclass
class Town:
    """All servers of the town."""

    xmpp: XmppServer
    smsc: Smsc
    bridge: Bridge

    async def ask(self, client: XmppClient, **fields: str) -> Any:
        """The answer to a registration by data form."""
        form = "".join(
            f"<field var='{name}'><value>{escape(value)}</value></field>" for name, value in fields.items()
        )
        head = "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>"
        query = f"<x xmlns='jabber:x:data' type='submit'>{head}{form}</x>"
        payload = f"<query xmlns='jabber:iq:register'>{query}</query>"
        return await client.iq(GATEWAY, payload, "set", seconds=60.0)


def smpp_route(smsc: Smsc, password_file: str, **options: object) -> str:
    """The TOML of the route `main`."""
    given = {
        "carrier": "smpp",
        "host": "localhost",
        "port": smsc.port,
        "tls": "off",
        "system_id": SYSTEM_ID,
        "password_file": password_file,
        **options,
    }
    return f'[gateway."{GATEWAY}".options.routes.main]\n{toml(given)}'


def numbers_of(xmpp: XmppServer, numbers: Mapping[str, str], route: str = "") -> str:
    """The TOML of whose number is which: number -> user."""
    lines = [f'[gateway."{GATEWAY}".options.numbers]']
    for number, user in numbers.items():
        by = f', route = "{route}"' if route else ""
        lines.append(f'"{number}" = {{ user = "{xmpp.jid(user)}"{by} }}')
    return "\n".join(lines) + "\n"


def toml(options: Mapping[str, object]) -> str:
    """Lines of TOML."""
    return "".join(f"{name} = {_value(value)}\n" for name, value in options.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


@contextlib.contextmanager
def running_town(
    xmpp: XmppServer | None = None,
    *,
    options: Mapping[str, object] | None = None,
    route: Mapping[str, object] | None = None,
    numbers: Mapping[str, str] | None = None,
    more: str = "",
    limits: str = "",
    module: str = "bridge",
    store_url: str = "",
    data_dir: Path | None = None,
) -> Iterator[Town]:
    """A fresh town, gone after the `with`. `options` are the backend's, `route` those of its bind, `numbers`
    who has which; `more` is more of its TOML, `limits` lines of `[limits]`."""
    with contextlib.ExitStack() as stack:
        if xmpp is None:
            xmpp = stack.enter_context(running_prosody(ProsodySetup(components={GATEWAY: "sekrit"})))
        smsc = stack.enter_context(running_smsc())
        folder = stack.enter_context(scratch("sms-town"))
        password_file = folder / "smpp.password"
        password_file.write_text(f"{PASSWORD}\n")
        if numbers is None:
            numbers = {ALICE: "alice", BOB: "bob", CAROL: "carol"}
        setup = BridgeSetup(
            backend="sms",
            domain=GATEWAY,
            module=module,
            options=toml({"country": "US", **(options or {})}),
            networks=smpp_route(smsc, str(password_file), **(route or {})) + numbers_of(xmpp, numbers) + more,
            store_url=store_url,
            data_dir=data_dir,
            extra=f"[limits]\n{limits}\n",
        )
        bridge = stack.enter_context(running_bridge(xmpp, setup))
        yield Town(xmpp, smsc, bridge)


@contextlib.asynccontextmanager
async def phones_of(town: Town) -> AsyncIterator[PhoneNetwork]:
    """The phone network of a town as it is, once the bridge is bound to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", town.smsc.control_port, limit=2**24)
    phones = PhoneNetwork(reader, writer)
    try:
        async with asyncio.timeout(20):
            while not (await phones.counts())["sessions"]:
                await asyncio.sleep(0.05)
        yield phones
    finally:
        await phones.close()
