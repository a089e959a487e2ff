"""The email backend: correspondents as contacts, mail as chat; for mailboxes (IMAP) and a domain (SMTP)."""

from backends.email.backend import create
from backends.email.options import Options

__all__ = ["Options", "create"]
