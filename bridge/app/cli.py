"""The command line. Sub-commands import what they need only when they run, so that `--help` is quick.

Exit codes: 0 all is well, 1 something is wrong that trying again won't cure, 2 the command line is wrong.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bridge import __version__

if TYPE_CHECKING:
    from bridge.app.config import Config

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _config_option() -> _Decorator:
    return click.option(
        "-c",
        "--config",
        "config_file",
        metavar="FILE",
        help="The configuration file (default: config.toml here, else /etc/xmpp-bridge/config.toml).",
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xmpp-bridge")
def main() -> None:
    """An XMPP gateway: people on IRC, email and SMS become contacts and rooms in any XMPP client."""


@main.command()
@_config_option()
@click.option("--new-key", is_flag=True, help="Give up stored passwords whose key is lost, and start.")
def run(config_file: str | None, new_key: bool) -> None:
    """Run the bridge until SIGTERM or Ctrl-C."""
    gc.disable()  # until all is loaded: most of what is made up to then stays to the end
    config = _load(config_file)
    from bridge.app.run import run_app
    from bridge.app.wiring import StartFailed

    try:
        asyncio.run(run_app(config, accept_loss=new_key))
    except StartFailed as error:
        _fail(str(error))


@main.command()
@_config_option()
@click.option("--offline", is_flag=True, help="Look at files and the store only; not at the XMPP server.")
@click.option("--options", is_flag=True, help="List the options of each gateway's backend, and do no more.")
def check(config_file: str | None, offline: bool, options: bool) -> None:
    """Check configuration, secrets, store and the link to the XMPP server.

    Without --offline each domain is connected for a moment: not while a bridge serves it.
    """
    if options:
        _list_options(config_file)
        return
    config = _load(config_file)
    if not asyncio.run(_check(config, offline)):
        sys.exit(1)


def _list_options(config_file: str | None) -> None:
    """Of each gateway; without a configuration, of each backend that there is."""
    from bridge.app.backends import known_backends
    from bridge.app.config import find_file
    from bridge.app.option_list import default_list, option_list

    if config_file is None and not find_file(None).exists():
        tables = [default_list(name) for name in known_backends()]
    else:
        tables = [option_list(gateway) for gateway in _load(config_file).gateways]
    click.echo("\n\n".join(tables))


async def _check(config: Config, offline: bool) -> bool:
    from bridge.app import check as checks
    from bridge.app import logs

    logs.set_up("error", "text", redactor=logs.Redactor(config.secrets()))
    logs.silence("bridge.xmpp.link")
    good = True
    async for finding in checks.check(config, offline):
        click.echo(str(finding))
        good = good and finding.level != "bad"
    return good


@main.command()
@_config_option()
def migrate(config_file: str | None) -> None:
    """Bring the store's schema to this version (a start does so as well)."""
    config = _load(config_file)
    from bridge.app.lock import Locked, locked
    from bridge.store import migrate as schema
    from bridge.store.errors import StoreError

    try:
        with locked(config.data_dir):
            before = schema.current(config.store_url)
            schema.upgrade(config.store_url)
    except (StoreError, Locked) as error:
        _fail(str(error))
    if before == schema.HEAD:
        click.echo(f"the store has schema {before} already; nothing to do")
    else:
        click.echo(f"the store went from schema {before or 'none'} to {schema.HEAD}")


@main.command("rotate-keys")
@_config_option()
@click.option("--forget-old", is_flag=True, help="Remove the old keys: backups can't be read any more.")
def rotate_keys(config_file: str | None, forget_old: bool) -> None:
    """Encrypt all stored secrets with a new key. The bridge must be stopped."""
    config = _load(config_file)
    from bridge.app import keys
    from bridge.app.lock import Locked
    from bridge.store.errors import StoreError, VaultError

    try:
        click.echo(asyncio.run(keys.rotate(config, forget_old)))
    except (StoreError, VaultError, Locked) as error:
        _fail(str(error))


def _load(config_file: str | None) -> Config:
    from bridge.app.config import find_file, load
    from bridge.app.config_errors import ConfigError

    try:
        return load(find_file(config_file))
    except ConfigError as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(1)
