"""Knows the listener's certificate, and reads it again when its files have changed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)


class Certificate:
    """PEM files with the chain and its key. Raises `OSError` (`ssl.SSLError` is one) if they cannot be used
    at first; later, the last that could be used stays."""

    def __init__(self, cert_file: str, key_file: str) -> None:
        self._files = (Path(cert_file), Path(key_file or cert_file))
        self._stamp = self._look()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """The context for a new connection."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._context = self._load()
                self._stamp = stamp
                log.info("the certificate in %s was read again", self._files[0])
        except OSError:
            log.warning("the certificate in %s cannot be read again", self._files[0], exc_info=True)
        return self._context

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        states = [each.stat() for each in self._files]
        return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in states)

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        return context
