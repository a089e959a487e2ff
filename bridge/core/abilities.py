"""What a backend can besides what all of them can: the optional protocols of `bridge.api.backend`."""

from __future__ import annotations

from typing import cast

from bridge.api import Backend, NormalisingBackend, ServingBackend


def serving(backend: Backend) -> ServingBackend | None:
    """The backend, if it is one that is reached from outside."""
    return cast("ServingBackend", backend) if hasattr(backend, "serve") else None


def normalising(backend: Backend) -> NormalisingBackend | None:
    """The backend, if it is one where users write addresses in ways of their own."""
    return cast("NormalisingBackend", backend) if hasattr(backend, "normalise") else None
