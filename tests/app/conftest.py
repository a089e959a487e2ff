"""The sample backend is there in every test of the configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.app.support import offer, sample


@pytest.fixture(autouse=True)
def sample_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, sample=sample())


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """What a command sets up for its own process ends with the test: handlers, levels, silenced loggers."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], _levels()
    yield
    root.handlers[:] = handlers
    for name, level in _levels().items():
        if level != levels.get(name, logging.NOTSET):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    logging.captureWarnings(False)


def _levels() -> dict[str, int]:
    """The level of the root logger (`root`) and of each other that exists."""
    named = {
        name: each.level
        for name, each in logging.root.manager.loggerDict.items()
        if isinstance(each, logging.Logger)
    }
    return {"root": logging.root.level, **named}
