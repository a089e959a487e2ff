"""The programs under test for texts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from bench.programs import environment
from bench.sms.work import Town
from bench.subject import Ground, Program
from bench.work import DOMAIN, SERVER
from tests.peers.smsc import PASSWORD, SYSTEM_ID

_CONFIG = """\
data_dir = "{ground.folder}"
[xmpp]
host = "127.0.0.1"
port = {ground.xmpp_port}
domain = "{server}"
[limits]
messages_per_second = 1000000.0
message_burst = 1000000
waiting_per_chat = 1000000
connects_at_once = 1000
[log]
level = "warning"
[gateway."{domain}"]
backend = "sms"
secret = "bench"
allow_private_networks = true
[gateway."{domain}".options]
country = "US"
texts_per_day = 1000000
[gateway."{domain}".options.routes.main]
carrier = "smpp"
host = "127.0.0.1"
port = {ground.irc_port}
tls = "off"
system_id = "{system_id}"
password_file = "{ground.folder}/password"
[gateway."{domain}".options.numbers]
{numbers}
"""

Programs = Callable[..., list[Program]]


def bridge(town: Town, profile: str = "") -> Program:
    """The bridge with one route, by SMPP; `profile` is a file for cProfile."""
    wrapper = ("-m", "cProfile", "-o", profile) if profile else ()
    return Program("bridge", partial(_bridge, town, wrapper), environment, "bridge.db", "SELECT 0")


def floor() -> Program:
    """A bare aiosmpplib (`bench.sms.floor`)."""
    return Program("floor", _floor, environment, "floor.db", "SELECT 0")


def _bridge(town: Town, wrapper: tuple[str, ...], ground: Ground) -> list[str]:
    (ground.folder / "password").write_text(f"{PASSWORD}\n")
    numbers = "\n".join(f'"{town.own(at)}" = {{ user = "{town.user(at)}" }}' for at in range(town.users))
    file = ground.folder / "config.toml"
    file.write_text(
        _CONFIG.format(ground=ground, server=SERVER, domain=DOMAIN, system_id=SYSTEM_ID, numbers=numbers)
    )
    file.chmod(0o600)
    return [sys.executable, *wrapper, "-m", "bridge", "run", "-c", str(file)]


def _floor(ground: Ground) -> list[str]:
    return [sys.executable, "-m", "bench.sms.floor", str(ground.xmpp_port), str(ground.irc_port)]
