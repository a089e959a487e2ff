"""Knows what the admin may set: `[gateway."irc.example.com".options]`."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Literal

import msgspec

from backends.irc.names import is_hostname

Tls = Literal["required", "optional", "off"]


class NetworkOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One network under a short name, or with settings of its own.

    `host`: the server's address (empty: the name of this table). `port`: 0 for the usual one. `tls`:
    "required", "optional" (tries without, and says so) or "off". `ca_file`: trust this CA only (PEM). `verify
    = false` takes any certificate. `password_file` holds the server's password (PASS).
    """

    host: str = ""
    port: int = 0
    tls: Tls = "required"
    ca_file: str = ""
    verify: bool = True
    password_file: str = ""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the IRC backend.

    `fixed_server`: serve one network only, with addresses like `#channel@gateway`. `networks`: settings for
    single networks, by name. `only_configured`: refuse networks that are not in `networks`. `tls_ports` and
    `plain_ports`: where to try servers without a port of their own, in order (plain ones if TLS is not
    required). `throttle_burst` lines go out at once, then `throttle_per_second` (a negative burst: no limit).
    `encoding`: how to read what is not UTF-8. `quit_message`: said when the user leaves without a word of
    their own. `realname`: for users who gave none (empty: their nick). Times are in seconds.
    """

    fixed_server: str = ""
    networks: dict[str, NetworkOptions] = {}
    only_configured: bool = False
    tls_ports: tuple[int, ...] = (6697, 6670)
    plain_ports: tuple[int, ...] = (6667,)
    throttle_burst: int = 10
    throttle_per_second: float = 1.0
    encoding: str = "iso-8859-1"
    quit_message: str = "Leaving"
    realname: str = ""
    connect_timeout: float = 15.0
    login_timeout: float = 60.0
    answer_timeout: float = 20.0
    ping_interval: float = 240.0
    ping_timeout: float = 60.0

    def network(self, name: str) -> NetworkOptions:
        """The settings of a network; the defaults for one that is not configured."""
        return self.networks.get(name or self.fixed_server) or NetworkOptions()


def check(options: Options) -> None:
    """Raise `ValueError`, naming the option, for values that cannot work; reads the files that are named."""
    try:
        codecs.lookup(options.encoding)
    except LookupError:
        raise ValueError(f"encoding: unknown encoding {options.encoding!r}") from None
    if options.throttle_per_second <= 0:
        raise ValueError("throttle_per_second: must be above 0")
    if not options.tls_ports or not options.plain_ports:
        raise ValueError("tls_ports, plain_ports: at least one port each")
    for port in (*options.tls_ports, *options.plain_ports):
        _check_port("tls_ports, plain_ports", port)
    if options.fixed_server and not is_hostname(options.network("").host or options.fixed_server):
        raise ValueError(f"fixed_server: not a host name: {options.fixed_server!r}")
    for name, network in options.networks.items():
        _check_network(name, network)


def _check_network(name: str, network: NetworkOptions) -> None:
    where = f"networks.{name}"
    if name != name.lower() or not is_hostname(name):
        raise ValueError(f"{where}: a network's name is a host name or a word, in lower case")
    if network.host and not is_hostname(network.host):
        raise ValueError(f"{where}.host: not a host name: {network.host!r}")
    if network.port:
        _check_port(f"{where}.port", network.port)
    if network.ca_file and not Path(network.ca_file).is_file():
        raise ValueError(f"{where}.ca_file: no such file: {network.ca_file}")
    if network.password_file:
        read_password(network, where)


def read_password(network: NetworkOptions, where: str = "networks") -> str:
    """The server password of a network (the first line of its file); empty where none is set."""
    if not network.password_file:
        return ""
    try:
        lines = Path(network.password_file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}.password_file: {error}") from None
    return lines[0] if lines else ""


def _check_port(where: str, port: int) -> None:
    if not 0 < port < 65536:
        raise ValueError(f"{where}: not a port: {port}")
