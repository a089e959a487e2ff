"""The sample backend is there in every test of the configuration."""

from __future__ import annotations

import pytest

from tests.app.support import offer, sample


@pytest.fixture(autouse=True)
def sample_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, sample=sample())
