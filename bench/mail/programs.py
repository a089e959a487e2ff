"""The programs under test for mail."""

from __future__ import annotations

import sys
from functools import partial

from bench.mail.ends import OURS
from bench.programs import environment
from bench.subject import Ground, Program
from bench.work import DOMAIN, SERVER

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
[log]
level = "warning"
[gateway."{domain}"]
backend = "email"
secret = "only-here"
allow_private_networks = true
[gateway."{domain}".options]
mailboxes = false
mails_per_hour = 0
domain = "{ours}"
smtp_listen = "127.0.0.1:{ground.listen_port}"
smarthost = "127.0.0.1:{ground.irc_port}"
smarthost_tls = "off"
"""


def bridge(profile: str = "") -> Program:
    """The bridge with a mail domain and a smarthost; `profile` is a file for cProfile."""
    wrapper = ("-m", "cProfile", "-o", profile) if profile else ()
    return Program("bridge", partial(_bridge, wrapper), environment, "bridge.db", "SELECT 0")


def floor() -> Program:
    """aiosmtpd and Python's email package (`bench.mail.floor`)."""
    return Program("floor", _floor, environment, "floor.db", "SELECT 0")


def _bridge(wrapper: tuple[str, ...], ground: Ground) -> list[str]:
    file = ground.folder / "config.toml"
    file.write_text(_CONFIG.format(ground=ground, server=SERVER, domain=DOMAIN, ours=OURS))
    file.chmod(0o600)
    return [sys.executable, *wrapper, "-m", "bridge", "run", "-c", str(file)]


def _floor(ground: Ground) -> list[str]:
    ports = [str(ground.xmpp_port), str(ground.irc_port), str(ground.listen_port)]
    return [sys.executable, "-m", "bench.mail.floor", *ports, str(ground.folder / "floor.db")]
