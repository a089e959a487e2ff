"""xmpp-bridge: people on other networks as contacts and rooms in any XMPP client."""

__version__ = "0.1.0"
