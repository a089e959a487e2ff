"""The SMS backend: phone numbers as contacts, texts as chat; by SMPP and by providers' HTTP interfaces.

`Options` is for the configuration, `create` makes the backend (entry point `backends.sms`)."""

from backends.sms.backend import create
from backends.sms.options import Options

__all__ = ["Options", "create"]
