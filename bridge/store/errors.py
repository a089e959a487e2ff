"""What can go wrong with the store, in words that an administrator can act on."""

from __future__ import annotations


class StoreError(Exception):
    """The database can't be used. The message says why and what to do; it never holds a password."""


class StoreDown(StoreError):
    """The database does not answer, or takes nothing, at the moment: the same may succeed later."""


class VaultError(Exception):
    """A secret can't be read, or the key file is not safe to use. The message never holds a key."""


class ItemNotFound(Exception):
    """An archive has no message with the id that a client asked for (XEP-0059 §2.3, XEP-0313 §4.1.5)."""
