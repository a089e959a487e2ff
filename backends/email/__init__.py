"""The email backend: correspondents as contacts, mail as chat; for mailboxes (IMAP) and a domain (SMTP).

`Options` is for the configuration, `create` makes the backend (entry point `backends.email`). They are loaded
when they are asked for: the worker process, which imports this package too, is to stay small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backends.email.backend import create as create
    from backends.email.options import Options as Options

__all__ = ["Options", "create"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from backends.email import backend, options

    return backend.create if name == "create" else options.Options
