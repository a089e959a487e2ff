"""On a real Prosody, the whole process starts, serves, tells rooms when it stops, and ends well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app.config import load
from bridge.app.run import App
from tests.app.support import offer, write
from tests.peers.bridge import Bridge, BridgeSetup, running_bridge
from tests.peers.daemon import free_port
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, message, presence, statuses, xmpp_client
from tests.testing.test_example_backend import echo

DOMAIN = "irc.example.test"
HALL = f"#hall@{DOMAIN}"


@contextlib.asynccontextmanager
async def running_app(folder: Path, prosody: Prosody, gateway: str = "") -> AsyncIterator[App]:
    text = f'data_dir = "data"\n[xmpp]\nport = {prosody.component_port}\n'
    text += f'[gateway."{DOMAIN}"]\nbackend = "echo"\nsecret = "sekrit"\n{gateway}\n'
    app = App(load(write(folder, text), {}))
    task = asyncio.create_task(app.run())
    try:
        async with asyncio.timeout(10):
            while not (app.domains and app.domains[0].link.up):
                await asyncio.wait({task}, timeout=0.01)
                if task.done():
                    task.result()
        yield app
    finally:
        app.stop()
        await task


@pytest.fixture(autouse=True)
def echo_backend(monkeypatch: pytest.MonkeyPatch, sample_backend: None) -> None:
    offer(monkeypatch, echo=echo)


async def joined(client: XmppClient) -> None:
    client.send(f"<presence to='{HALL}/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    own = await client.wait(presence(f"{HALL}/alice"))
    assert 110 in statuses(own)
    await client.wait(
        lambda stanza: stanza.name == "message" and bool(stanza.xml.findtext("{jabber:client}subject"))
    )


async def test_the_example_backend_in_a_real_client(prosody: Prosody, tmp_path: Path) -> None:
    async with running_app(tmp_path, prosody), xmpp_client(prosody) as alice:
        await joined(alice)
        alice.say(HALL, "hello?", "groupchat")
        await alice.wait(message(f"{HALL}/alice", "hello?"))
        await alice.wait(message(f"{HALL}/echo", "hello?"))
        alice.say(f"echo@{DOMAIN}", "and you?")
        await alice.wait(message(f"echo@{DOMAIN}", "and you?"))


async def test_rooms_hear_of_an_orderly_stop(prosody: Prosody, tmp_path: Path) -> None:
    async with xmpp_client(prosody) as alice:
        async with running_app(tmp_path, prosody) as app:
            await joined(alice)
            began = asyncio.get_running_loop().time()
            app.stop()
        gone = await alice.wait(presence(f"{HALL}/alice", "unavailable"))
        assert 110 in statuses(gone)
        assert asyncio.get_running_loop().time() - began < 4


async def test_the_gateway_is_called_as_configured(prosody: Prosody, tmp_path: Path) -> None:
    async with running_app(tmp_path, prosody, 'name = "Our echo"'), xmpp_client(prosody) as alice:
        answer = await alice.iq(DOMAIN, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
        names = {
            item.get("name") for item in answer.xml.iter("{http://jabber.org/protocol/disco#info}identity")
        }
        assert names == {"Our echo"}


async def test_allowed_users_are_the_only_ones(prosody: Prosody, tmp_path: Path) -> None:
    async with (
        running_app(tmp_path, prosody, 'allowed_users = ["bob@example.test"]'),
        xmpp_client(prosody) as alice,
        xmpp_client(prosody, "bob") as bob,
    ):
        alice.send(f"<presence to='{HALL}/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        refused = await alice.wait(presence(kind="error"))
        assert refused["error"]["condition"] == "forbidden"
        bob.send(f"<presence to='{HALL}/bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        await bob.wait(presence(f"{HALL}/bob"))


# -- the process


def end(bridge: Bridge, number: int) -> int:
    os.kill(bridge.pid, number)
    assert bridge._process is not None
    return bridge._process.wait(15)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(number: int, prosody: Prosody) -> None:
    with running_bridge(prosody, BridgeSetup(networks="")) as bridge:
        assert end(bridge, number) == 0
        log = bridge.log_text()
    assert "stopped" in [json.loads(line)["message"] for line in log.splitlines() if line]
    assert "sekrit" not in log
    assert "Traceback" not in log


def test_a_second_bridge_on_the_same_data_does_not_start(prosody: Prosody) -> None:
    with running_bridge(prosody, BridgeSetup(networks="")) as bridge:
        second = subprocess.run(
            bridge.command(),
            env=bridge.environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1].startswith(
        f"a bridge (process {bridge_pid(second.stderr)}) is using"
    )


def bridge_pid(text: str) -> str:
    return text.partition("(process ")[2].partition(")")[0]


class Unlinked(Bridge):
    """A bridge whose link can't come up: ready once it has said why."""

    why = ""

    def ready(self) -> bool:
        return self.why in self.log_text()


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (BridgeSetup(networks="", secret="a-wrong-one"), "does not accept the secret"),
        (BridgeSetup(networks="", domain="sms.example.test"), "sms.example.test"),
    ],
)
def test_what_retrying_may_cure_is_told_and_retried(
    setup: BridgeSetup, why: str, prosody: Prosody, tmp_path: Path
) -> None:
    bridge = Unlinked(tmp_path, prosody, setup)
    bridge.why = why
    bridge.start()
    try:
        assert end(bridge, signal.SIGTERM) == 0
        assert "a-wrong-one" not in bridge.log_text()
    finally:
        bridge.kill()


def test_a_closed_port_is_retried_until_the_server_is_there(tmp_path: Path) -> None:
    class Nowhere:
        host = "example.test"
        component_port = free_port()

    bridge = Unlinked(tmp_path, Nowhere(), BridgeSetup(networks=""))
    bridge.why = "refuses the connection"
    bridge.start()
    try:
        assert end(bridge, signal.SIGTERM) == 0
    finally:
        bridge.kill()


def test_sighup_changes_the_log_level_and_no_more(prosody: Prosody) -> None:
    with running_bridge(prosody, BridgeSetup(networks="")) as bridge:
        wait_for(bridge, "serving")
        text = bridge.config_file.read_text()
        bridge.config_file.write_text(text.replace('level = "info"', 'level = "warning"'))
        os.kill(bridge.pid, signal.SIGHUP)
        wait_for(bridge, "reloaded the log level (warning)")
        bridge.config_file.write_text("nonsense")
        os.kill(bridge.pid, signal.SIGHUP)
        wait_for(bridge, "not reloaded: end of the file: not TOML")
        assert end(bridge, signal.SIGTERM) == 0
        assert '"stopped"' not in bridge.log_text()


def test_sigusr1_tells_how_much_is_going_on(prosody: Prosody) -> None:
    with running_bridge(prosody, BridgeSetup(networks="")) as bridge:
        wait_for(bridge, "serving")
        os.kill(bridge.pid, signal.SIGUSR1)
        wait_for(bridge, "counts: tasks=")
        line = next(line for line in bridge.log_text().splitlines() if "counts: " in line)
        said = json.loads(line)["message"]
        assert said.endswith(f"; {DOMAIN}: sessions=0 rooms=0 clients=0 lanes=0 undelivered=0")
        assert " threads=" in said
        assert " files=" in said
        assert end(bridge, signal.SIGTERM) == 0


def wait_for(bridge: Bridge, text: str) -> None:
    """Return once the bridge has logged this."""
    deadline = time.monotonic() + 15
    while text not in bridge.log_text():
        assert time.monotonic() < deadline, f"{text!r} was not logged:\n{bridge.log_tail()}"
        time.sleep(0.02)
