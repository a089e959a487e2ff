"""Our own programs under test: the bridge, and the floor beside it."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from bench.subject import Ground, Program
from bench.work import DOMAIN, NETWORK, SERVER

ROOT = Path(__file__).resolve().parents[1]
_CACHE = ROOT / ".cache" / "bench"

_CONFIG = """\
data_dir = "{folder}"
[xmpp]
host = "127.0.0.1"
port = {xmpp_port}
domain = "{server}"
[archive]
enabled = {archive}
[limits]
messages_per_second = 1000000.0
message_burst = 1000000
waiting_per_chat = 1000000
connects_at_once = 1000
[log]
level = "warning"
[gateway."{domain}"]
backend = "irc"
secret = "bench"
allow_private_networks = true
[gateway."{domain}".options]
throttle_burst = -1
[gateway."{domain}".options.networks."{network}"]
host = "localhost"
port = {irc_port}
tls = "off"
"""


def bridge(profile: str = "") -> Program:
    """The bridge, its limits and throttles off; `profile` is a file for cProfile."""
    wrapper = ("-m", "cProfile", "-o", profile) if profile else ()
    return Program(
        "bridge", partial(_bridge_words, wrapper), environment, "bridge.db", "SELECT count(*) FROM archive"
    )


def floor() -> Program:
    """The least that Python must do for the same work (`bench.floor`)."""
    return Program("floor", _floor_words, environment, "floor.db", "SELECT count(*) FROM kept")


def environment() -> dict[str, str]:
    """Compiled modules are kept, as they are for any installed program, whatever this shell says."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(_CACHE)}


def _bridge_words(wrapper: tuple[str, ...], ground: Ground) -> list[str]:
    text = _CONFIG.format(
        folder=ground.folder, xmpp_port=ground.xmpp_port, irc_port=ground.irc_port,
        archive=str(ground.archive).lower(), domain=DOMAIN, server=SERVER, network=NETWORK,
    )  # fmt: skip
    file = ground.folder / "config.toml"
    file.write_text(text)
    file.chmod(0o600)
    return [sys.executable, *wrapper, "-m", "bridge", "run", "-c", str(file)]


def _floor_words(ground: Ground) -> list[str]:
    archive = str(ground.archive).lower()
    ports = [str(ground.xmpp_port), str(ground.irc_port)]
    return [sys.executable, "-m", "bench.floor", *ports, str(ground.folder / "floor.db"), archive]
