"""Fixtures: one SMSC for each module, with nothing left from before for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.peers.smsc import PhoneNetwork, Smsc, phone_network, running_smsc


@pytest.fixture(scope="module")
def smsc() -> Iterator[Smsc]:
    """A real SMSC."""
    with running_smsc() as server:
        yield server


@pytest.fixture
async def phones(smsc: Smsc) -> AsyncIterator[PhoneNetwork]:
    """The phones behind it, and what it is told to do."""
    async with phone_network(smsc) as network:
        yield network
