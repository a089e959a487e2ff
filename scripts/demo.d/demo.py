"""The demo: an IRC server with a bot in a channel, a mail domain, phones, a Prosody, the bridge between them,
and a chat page.

Everything listens on loopback only, lives in temporary folders, and is gone when this ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import post
import texting
from bot import CHANNEL, bot_in_channel
from check import CheckFailed, Scene, check
from mail import ALICE
from outside import Outside, running_outside
from phone import ALICE as ALICES_NUMBER
from phones import ROSE, Phones, running_phones
from ports import owner_of

from tests.peers.bridge import Bridge, BridgeSetup, network, running_bridge
from tests.peers.converse import PageSetup, serving
from tests.peers.daemon import Daemon, PeerFailed, free_port
from tests.peers.inspircd import Inspircd, InspircdSetup, running_inspircd
from tests.peers.prosody import Prosody, ProsodySetup, running_prosody
from tests.peers.smsc import Smsc, running_smsc

PORT = 8730
GATEWAY = "irc.localhost"
NETWORK = "demo"
ROOM = f"{CHANNEL}%{NETWORK}@{GATEWAY}"
SECRET = "only-on-loopback"
USERS = {"alice": "alice-in-the-garden", "bob": "bob-in-the-garden"}


class DemoFailed(Exception):
    """The demo cannot go on; the text is for the person who started it."""


@dataclass
class Demo:
    """All that runs."""

    irc: Inspircd
    prosody: Prosody
    bridge: Bridge
    life: dict[str, asyncio.Task[None]]
    outside: Outside
    mail_port: int
    smsc: Smsc | None
    phones: Phones | None
    url: str

    @property
    def servers(self) -> list[Daemon]:
        return [self.irc, self.prosody, self.bridge, *([self.smsc] if self.smsc else [])]


@contextlib.asynccontextmanager
async def running_demo(port: int) -> AsyncIterator[Demo]:
    """Start everything in the order in which it is needed; end it the other way round."""
    _require_free(port)
    async with contextlib.AsyncExitStack() as stack:
        page = PageSetup("", {}, rooms=[ROOM], title="A garden on IRC", settings={"muc_domain": GATEWAY})
        irc = stack.enter_context(running_inspircd(InspircdSetup(server=GATEWAY, network="Demo")))
        client, bot = await bot_in_channel(irc.port)
        stack.push_async_callback(client.close)
        life = {"bot": _living(stack, bot.run())}
        outside = await stack.enter_async_context(running_outside(_show))
        smsc, phones = await _phones(stack)
        components = dict.fromkeys((GATEWAY, post.GATEWAY, *([texting.GATEWAY] if smsc else [])), SECRET)
        prosody = stack.enter_context(
            running_prosody(ProsodySetup(host="localhost", components=components, users=USERS))
        )
        page.websocket_url = prosody.websocket_url
        page.accounts = {name: (prosody.jid(name), password) for name, password in USERS.items()}
        bridge, mail_port = await _bridge(stack, prosody, irc, outside, smsc)
        if phones is not None:
            life["phones"] = _living(stack, phones.live())
        url = stack.enter_context(serving(page, port))
        yield Demo(irc, prosody, bridge, life, outside, mail_port, smsc, phones, url)


def _living(stack: contextlib.AsyncExitStack, life: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(life)
    stack.callback(task.cancel)
    return task


def _show(text: str) -> None:
    print(text, flush=True)


async def _phones(stack: contextlib.AsyncExitStack) -> tuple[Smsc | None, Phones | None]:
    """The short message centre and the phones behind it, where npm could install what they need."""
    if not texting.phones_are_there():
        return None, None
    smsc = stack.enter_context(running_smsc())
    return smsc, await stack.enter_async_context(running_phones(smsc, _show))


async def _bridge(
    stack: contextlib.AsyncExitStack, prosody: Prosody, irc: Inspircd, outside: Outside, smsc: Smsc | None
) -> tuple[Bridge, int]:
    """The bridge with all gateways, alice's mail address registered; and the port that mail comes in by."""
    mail_port = free_port()
    networks = network(NETWORK, irc.port, domain=GATEWAY) + post.gateway(SECRET, mail_port, outside.port)
    if smsc is not None:
        networks += texting.gateway(SECRET, smsc, prosody.jid(texting.USER))
    setup = BridgeSetup(networks, options="", secret=SECRET, domain=GATEWAY)
    bridge = stack.enter_context(running_bridge(prosody, setup))
    try:
        await post.sign_up(prosody)
        if smsc is not None:
            await texting.accept(prosody)
    except AssertionError as failed:
        raise DemoFailed(f"{failed}\n{bridge.log_tail()}") from failed
    return bridge, mail_port


def _require_free(port: int) -> None:
    """Say early, before anything is started, that the page's port is taken. Raises DemoFailed."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise DemoFailed(f"cannot serve the page at port {port}: {error.strerror}") from error
        owner = owner_of(port) or "another program"
        raise DemoFailed(
            f"port {port} is taken by {owner}; choose another: scripts/demo --port {port + 1}"
        ) from error


def _tell(demo: Demo) -> None:
    prosody, irc, bridge = demo.prosody, demo.irc, demo.bridge
    accounts = ", ".join(f"{prosody.jid(name)} ({password})" for name, password in USERS.items())
    gateways = ", ".join((GATEWAY, post.GATEWAY, *([texting.GATEWAY] if demo.smsc else [])))
    print(f"""
  IRC server   127.0.0.1:{irc.port}  pid {irc.pid}   InspIRCd, channel {CHANNEL} with a bot in it
  XMPP server  127.0.0.1:{prosody.c2s_port}  pid {prosody.pid}   Prosody, {accounts}
  bridge       {gateways}   pid {bridge.pid}   its configuration: {bridge.config_file}
  mail server  127.0.0.1:{demo.outside.port}   the rest of the world: takes what leaves, and shows it here
{_of_phones(demo)}
  The channel is the room {ROOM}
  alice's mail address is {ALICE}. This sends her a mail; answer it in the page:

  {post.command(demo.mail_port)}
{_texts(demo)}
  Open {demo.url}
  (you are alice; {demo.url}?as=bob is bob)

  Ctrl-C ends all of it.
""", flush=True)  # fmt: skip


def _of_phones(demo: Demo) -> str:
    smsc = demo.smsc
    if smsc is None:
        return "  phones       none: npm could not install the message centre's library\n"
    return f"  SMS centre   127.0.0.1:{smsc.tls_port}  pid {smsc.pid}   the phones of the rest of the world\n"


def _texts(demo: Demo) -> str:
    if demo.phones is None:
        return ""
    return f"""
  alice's number is {ALICES_NUMBER}. Rose, on {ROSE}, texts her, and answers. This is a phone elsewhere:

  {texting.command(demo.phones.control_port)}
"""


async def _watch(demo: Demo) -> None:
    """Return never; raise DemoFailed when a part of the demo ends by itself."""
    while True:
        await asyncio.sleep(0.5)
        for server in demo.servers:
            if not server.alive:
                raise DemoFailed(f"the {server.name} has ended by itself\n{server.log_tail()}")
        for name, task in demo.life.items():
            if task.done():
                raise DemoFailed(f"the life of the {name} has ended: {task.exception()}")


async def _run(arguments: argparse.Namespace) -> None:
    async with running_demo(arguments.port) as demo:
        if arguments.check:
            await check(_scene(demo), arguments.screenshot)
            return
        _tell(demo)
        await _watch(demo)


def _scene(demo: Demo) -> Scene:
    if demo.phones is None:
        raise DemoFailed("there are no phones to check: npm could not install what they need")
    return Scene(demo.url, demo.irc.port, CHANNEL, demo.mail_port, demo.outside, demo.phones)


async def _main(arguments: argparse.Namespace) -> int:
    me = asyncio.current_task()
    assert me is not None
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: None)  # once is enough: what runs is being ended
        me.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await _run(arguments)
    except asyncio.CancelledError:
        print("\nall of it has ended", flush=True)
        return 1 if arguments.check else 0
    except (DemoFailed, PeerFailed, CheckFailed) as failed:
        print(f"scripts/demo: {failed}", file=sys.stderr)
        return 1
    if arguments.check:
        print("scripts/demo --check: a message went from the page to IRC and the answer came back;")
        print("a mail came into the page, and the answer left as mail;")
        print("a text came into the page, the answer reached the phone, and the page shows that it did")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--port", type=int, help=f"the page's port (default {PORT}; with --check a free one)")
    parser.add_argument(
        "--check", action="store_true", help="exchange a message in a headless browser and end"
    )
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="with --check: a picture of the page")
    arguments = parser.parse_args()
    if arguments.port is None:
        arguments.port = 0 if arguments.check else PORT
    return arguments


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(_arguments())))
