"""Knows how Atheme's services are linked to our InspIRCd, for accounts and SASL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, own, running, scratch
from tests.peers.inspircd import LINK_PASSWORD, SERVICES, Inspircd
from tests.peers.irc_client import irc_client

_MODULES = (
    "protocol/inspircd backend/opensex crypto/pbkdf2v2 crypto/rawsha1 "
    "nickserv/main nickserv/register nickserv/identify nickserv/cert nickserv/ghost nickserv/group "
    "nickserv/help nickserv/info nickserv/set_core nickserv/set_password nickserv/enforce "
    "saslserv/main saslserv/plain saslserv/external saslserv/authcookie "
    "chanserv/main chanserv/register chanserv/op chanserv/info chanserv/access operserv/main"
).split()

_CONFIG = """\
serverinfo {{ name = "{services}"; desc = "Services"; numeric = "00A"; recontime = 3; netname = "{network}";
 adminname = "admin"; adminemail = "admin@example.org"; registeremail = "noreply@example.org"; hidden;
 mta = "/bin/true"; loglevel = {{ error; info; admin; network; register; }}; maxcertfp = 0; maxlogins = 100;
 maxusers = 0; mdlimit = 30; emaillimit = 1000; emailtime = 300; auth = none; casemapping = rfc1459; }};
uplink "{server}" {{ host = "127.0.0.1"; port = {link_port}; send_password = "{password}";
 receive_password = "{password}"; }};
nickserv {{ nick = "NickServ"; user = "NickServ"; host = "{services}"; real = "Nicks"; maxnicks = 50;
 expire = 0; }};
saslserv {{ nick = "SaslServ"; user = "SaslServ"; host = "{services}"; real = "SASL"; }};
chanserv {{ nick = "ChanServ"; user = "ChanServ"; host = "{services}"; real = "Channels"; }};
operserv {{ nick = "OperServ"; user = "OperServ"; host = "{services}"; real = "Operators"; }};
general {{ join_chans; leave_chans; uflags = {{ hidemail; }}; cflags = {{ verbose; }}; flood_msgs = 0;
 flood_time = 10; ratelimit_uses = 1000000; ratelimit_period = 1; kline_time = 7;
 default_clone_allowed = 10000; default_clone_warn = 10000; commit_interval = 5; }};
crypto {{ pbkdf2v2_digest = "SHA2-256"; pbkdf2v2_rounds = 10000; }};
logfile "{folder}/atheme.log" {{ error; info; network; register; }};
"""


class Atheme(Daemon):
    """Services linked to `irc`; `register` makes an account that SASL PLAIN then takes."""

    name = "atheme"
    user = "nobody"  # it refuses to run as root

    def __init__(self, folder: Path, irc: Inspircd) -> None:
        super().__init__(folder, [])
        self.irc = irc
        text = "".join(f'loadmodule "modules/{module}";\n' for module in _MODULES)
        text += _CONFIG.format(
            folder=folder, services=SERVICES, password=LINK_PASSWORD,
            server=irc.setup.server, network=irc.setup.network, link_port=irc.link_port,
        )  # fmt: skip
        (folder / "atheme.conf").write_text(text)
        (folder / "data").mkdir()
        own(folder, self.user)

    def command(self) -> list[str]:
        where = {"-c": "atheme.conf", "-l": "atheme.log", "-p": "atheme.pid", "-D": "data"}
        words = [word for flag, file in where.items() for word in (flag, str(self.folder / file))]
        return [find_program("atheme-services"), "-n", *words]

    def ready(self) -> bool:
        """The services know that the IRC server took them in: SASL is on offer from then on."""
        return self.log_text().count("finished synching with uplink") > self._links_before

    def start(self) -> None:
        self._links_before = self.log_text().count("finished synching with uplink")
        super().start()

    async def register(self, account: str, password: str) -> None:
        """Make an account by talking to NickServ, as a person would."""
        async with irc_client(self.irc.port, account) as client:
            client.say("NickServ", f"REGISTER {password} {account}@example.org")
            await client.wait_for(r"NOTICE .*is now registered")


@contextlib.contextmanager
def running_atheme(irc: Inspircd) -> Iterator[Atheme]:
    """Services for a running InspIRCd, gone after the `with`."""
    with scratch("atheme", Atheme.user) as folder, running(Atheme(folder, irc)) as services:
        yield services
