"""biboumi, the gateway that ours is compared with (`--peer biboumi`): installed from Debian if it is
missing, with a configuration of its own, and with the settings of its users that only its commands can
change."""

from __future__ import annotations

import os
import shutil
import subprocess
from xml.sax.saxutils import quoteattr

from bench.ends import WrongCount
from bench.subject import Ground, Program, Subject, plain_environment
from bench.work import DOMAIN, NETWORK

_CONFIG = """\
hostname={domain}
password=bench
xmpp_server_ip=127.0.0.1
port={port}
db_name={folder}/biboumi.sqlite
log_level=3
log_file={folder}/biboumi.log
identd_port=0
policy_directory={folder}
"""

_COMMANDS = "http://jabber.org/protocol/commands"


class NoPeer(Exception):
    """The peer cannot be installed here."""


def biboumi() -> Program:
    """Debian's biboumi. Raises NoPeer."""
    if shutil.which("biboumi") is None:
        _install()
    return Program(
        "biboumi", _words, plain_environment, "biboumi.sqlite", "SELECT count(*) FROM muclogline_", _prepare,
        ends_at_sigterm=False,  # it waits for the end of a stream that nobody closes
    )  # fmt: skip


def version() -> str:
    """The version of the installed package, as Debian counts."""
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "biboumi"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return asked.stdout.strip() or "unknown"


def _install() -> None:
    if shutil.which("apt-get") is None:
        raise NoPeer("biboumi is not installed, and there is no apt-get to install it with")
    if os.geteuid() != 0:
        raise NoPeer(
            "biboumi is not installed: run `apt-get install --no-install-recommends biboumi` as root"
        )
    command = ["apt-get", "install", "-y", "--no-install-recommends", "biboumi"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(command, env=environment, check=False).returncode:
        raise NoPeer(f"`{' '.join(command)}` failed; `apt-get update` may be what is missing")


def _words(ground: Ground) -> list[str]:
    file = ground.folder / "biboumi.cfg"
    file.write_text(_CONFIG.format(domain=DOMAIN, port=ground.xmpp_port, folder=ground.folder))
    return ["biboumi", str(file)]


async def _prepare(subject: Subject, users: list[str]) -> None:
    """For each user: where the network is, no TLS, no throttle; and, without an archive, no history."""
    for user in users:
        server = {
            "address": "127.0.0.1", "ports": str(subject.ground.irc_port), "tls_ports": "",
            "throttle_limit": "-1", "max_history_length": "20",
        }  # fmt: skip
        await _configure(subject, user, f"{NETWORK}@{DOMAIN}", server)
        if not subject.ground.archive:
            await _configure(subject, user, DOMAIN, {"record_history": "false", "persistent": "false"})


async def _configure(subject: Subject, user: str, to: str, values: dict[str, str]) -> None:
    """Fill in a form of XEP-0050's command `configure`. Raises WrongCount if it is refused."""
    first = f"<command xmlns='{_COMMANDS}' node='configure' action='execute'/>"
    form = await subject.xmpp.request(user, to, "set", first)
    session = form.partition(b"sessionid='")[2].partition(b"'")[0].decode()
    fields = "".join(
        f"<field var={quoteattr(name)}><value>{value}</value></field>" if value else f"<field var='{name}'/>"
        for name, value in values.items()
    )
    done = await subject.xmpp.request(
        user, to, "set",
        f"<command xmlns='{_COMMANDS}' node='configure' action='complete' sessionid='{session}'>"
        f"<x xmlns='jabber:x:data' type='submit'>{fields}</x></command>",
    )  # fmt: skip
    if b"status='completed'" not in done:
        raise WrongCount(f"biboumi did not take {values} for {to}: {done.decode()}")
