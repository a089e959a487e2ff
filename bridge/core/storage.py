"""What becomes of a request when the store is not to be had: users are told so, and can try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.api import BackendError
from bridge.store.errors import StoreDown

STORE_TEXT = "The gateway's database is not available right now. Try again in a minute."
NOT_KEPT = "The gateway's database is not available right now, so this was not sent. Try again in a minute."


class Unavailable(BackendError):
    """The store is not to be had at the moment. The text is for the user to read."""


@contextmanager
def asking_store() -> Iterator[None]:
    """Raises `Unavailable` for a StoreDown inside the `with`. The store has logged that it is out."""
    try:
        yield
    except StoreDown as error:
        raise Unavailable(STORE_TEXT) from error
