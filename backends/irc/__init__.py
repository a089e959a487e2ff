"""The IRC backend: `Options` for the configuration, `create` for the backend (entry point `backends.irc`)."""

from backends.irc.backend import create
from backends.irc.options import Options

__all__ = ["Options", "create"]
