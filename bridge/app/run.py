"""The running program: store, gateways and their links under one roof, from the start to an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal

from bridge import __version__
from bridge.api import SoftwareVersion
from bridge.app import garbage, keys, logs, systemd
from bridge.app.assembly import Domain
from bridge.app.config import Config, load
from bridge.app.config_errors import ConfigError
from bridge.app.counts import counts
from bridge.app.lock import Locked, locked
from bridge.app.wiring import StartFailed
from bridge.store.engine import Store
from bridge.store.errors import StoreError, VaultError
from bridge.store.vault import Vault

log = logging.getLogger(__name__)

SOFTWARE = SoftwareVersion("xmpp-bridge", __version__)
GOODBYE = "Gateway shutdown"


async def run_app(config: Config, accept_loss: bool = False) -> None:
    """Run the bridge until a signal ends it. `accept_loss`: of passwords whose key is gone. Raises
    StartFailed for what trying again can't cure."""
    garbage.one_heap()
    logs.set_up(config.log.level, config.log.format, redactor=logs.Redactor(config.secrets()))
    try:
        with locked(config.data_dir):
            await asyncio.to_thread(keys.check_stored, config, accept_loss)
            await App(config).run()
    except (Locked, StoreError, VaultError) as error:
        raise StartFailed(str(error)) from None


class App:
    """One process. `stop()` ends `run()`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stopping = asyncio.Event()
        self.domains: list[Domain] = []

    async def run(self) -> None:
        """Start everything, wait for `stop`, and end everything in good order.

        Raises StartFailed, StoreError, VaultError."""
        vault = Vault.from_file(self._config.key_file, create=True)
        with _Signals(self):
            store = await Store.open(self._config.store_url, vault)
            try:
                self.domains += [Domain(self._config, each, store) for each in self._config.gateways]
                await self._serve()
            finally:
                await store.close()
        log.info("stopped")

    def stop(self) -> None:
        """Begin the orderly end."""
        self._stopping.set()

    def reload(self) -> None:
        """Read the configuration again, for its log level. Everything else needs a restart."""
        try:
            level = load(self._config.file).log.level
        except ConfigError as error:
            for mistake in error.mistakes:
                log.error("not reloaded: %s", str(mistake))
            return
        logs.set_level(level)
        log.warning("reloaded the log level (%s); other changes need a restart", level)

    def report(self) -> None:
        """Log how much is going on. A warning, so that it is seen at any usual level: somebody asked."""
        log.warning("counts: %s", counts({domain.name: domain.gateway for domain in self.domains}))

    async def _serve(self) -> None:
        """Until `stop`; a bug in one of the tasks ends the others, too."""
        for domain in self.domains:
            await domain.start()
        async with asyncio.TaskGroup() as tasks:
            watchdog = tasks.create_task(systemd.keep_watchdog(), name="watchdog")
            for domain in self.domains:
                tasks.create_task(domain.run(), name=f"link of {domain.name}")
            self._started()
            sweeper = tasks.create_task(garbage.keep_swept(), name="sweeper")
            await self._stopping.wait()
            log.info("stopping")
            systemd.notify("STOPPING=1")
            await asyncio.gather(*(domain.stop(GOODBYE) for domain in self.domains))
            watchdog.cancel()
            sweeper.cancel()

    def _started(self) -> None:
        garbage.settle()
        names = ", ".join(domain.name for domain in self.domains)
        log.info("serving %s", names)
        systemd.notify(f"READY=1\nSTATUS=Serving {names}")


class _Signals:
    """SIGTERM and SIGINT stop the app (a second one at once), SIGHUP reloads, SIGUSR1 reports, inside
    the `with`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._asked = False

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._app.reload)
        self._loop.add_signal_handler(signal.SIGUSR1, self._app.report)

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            self._loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if self._asked and self._task is not None:
            log.warning("told twice to stop: ending at once")
            self._task.cancel()
        self._asked = True
        self._app.stop()
