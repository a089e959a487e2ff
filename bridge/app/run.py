"""The running program: store, gateways and their links under one roof, from the start to an orderly end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.app import logs, systemd
from bridge.app.config import Config, load
from bridge.app.config_errors import ConfigError
from bridge.app.lock import Locked, locked
from bridge.app.wiring import StartFailed, core_settings, link_config, make_backend
from bridge.core.gateway import Gateway
from bridge.store.engine import Store
from bridge.store.errors import StoreError, VaultError
from bridge.store.vault import Vault
from bridge.xmpp.component import Component
from bridge.xmpp.link import ComponentLink

log = logging.getLogger(__name__)

GOODBYE = "Gateway shutdown"
STOP_SECONDS = 4.0


async def run_app(config: Config) -> None:
    """Run the bridge until a signal ends it. Raises StartFailed for what trying again can't cure."""
    logs.set_up(config.log.level, config.log.format, redactor=logs.Redactor(config.secrets()))
    try:
        with locked(config.data_dir):
            await App(config).run()
    except (Locked, StoreError, VaultError) as error:
        raise StartFailed(str(error)) from None


class App:
    """One process. `stop()` ends `run()`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stopping = asyncio.Event()
        self.gateways: list[Gateway] = []
        self.components: list[Component] = []

    async def run(self) -> None:
        """Start everything, wait for `stop`, and end everything in good order.

        Raises StartFailed, StoreError, VaultError."""
        async with self._store() as store:
            self._build(store)
            async with asyncio.TaskGroup() as tasks:
                with _Signals(self):
                    for gateway in self.gateways:
                        await gateway.start()
                    for component in self.components:
                        tasks.create_task(component.run())
                    watchdog = tasks.create_task(systemd.keep_watchdog())
                    self._started()
                    await self._stopping.wait()
                    systemd.notify("STOPPING=1")
                    await self._end()
                    watchdog.cancel()
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
                log.error("not reloaded: %s", mistake)
            return
        logs.set_level(level)
        log.warning("reloaded the log level (%s); other changes need a restart", level)

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[Store]:
        store = await Store.open(self._config.store_url, Vault.from_file(self._config.key_file, create=True))
        try:
            yield store
        finally:
            await store.close()

    def _build(self, store: Store) -> None:
        for each in self._config.gateways:
            settings = core_settings(self._config, each)
            gateway = Gateway(each.domain, make_backend(each), store, settings)
            self.gateways.append(gateway)
            self.components.append(Component(ComponentLink(link_config(each)), gateway))

    def _started(self) -> None:
        # What is here now stays to the end: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        domains = ", ".join(gateway.domain for gateway in self.gateways)
        log.info("started: %s", domains, extra={"python": sys.version.split()[0]})
        systemd.notify(f"READY=1\nSTATUS=Serving {domains}")

    async def _end(self) -> None:
        """Sessions first, so that the rooms hear of it; then the streams."""
        log.info("stopping")
        results = await asyncio.gather(*map(_closed, self.gateways), return_exceptions=True)
        results += await asyncio.gather(*(each.stop() for each in self.components), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                log.error("something did not stop in good order", exc_info=result)


async def _closed(gateway: Gateway) -> None:
    async with asyncio.timeout(STOP_SECONDS):
        await gateway.stop(GOODBYE)


class _Signals:
    """SIGTERM and SIGINT stop the app (a second one at once), SIGHUP reloads, inside the `with`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._asked = False

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._app.reload)

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if self._asked and self._task is not None:
            log.warning("told twice to stop: ending at once")
            self._task.cancel()
        self._asked = True
        self._app.stop()
