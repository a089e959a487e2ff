"""Knows what a component stream has to be told: where the server is, who we are, and how patient to be."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["LinkConfig"]


class LinkConfig(Struct, frozen=True, kw_only=True):
    """Where the server is and who we are there. Times are in seconds, sizes in bytes."""

    domain: str
    """our own, such as irc.example.com"""
    secret: str
    server: str
    """a domain that the server itself serves, such as example.com: whom to ping"""
    host: str
    """address of the component port; a certificate must name it"""
    port: int = 5347
    tls: bool = False
    ca_file: str | None = None
    max_buffer: int = 64 * 1024 * 1024
    """above this much unsent the server counts as dead"""
    handshake_seconds: float = 15
    silence_seconds: float = 60
    """after this long without a byte from the server it is pinged"""
    ping_seconds: float = 60
    """this long we wait for the ping's answer; a short time makes duplicates when a server only stalls"""
    stable_seconds: float = 2
    """a stream that lived this long is reconnected at once"""

    @property
    def patience(self) -> float:
        """How long a server may be silent until it counts as gone."""
        return self.silence_seconds + self.ping_seconds

    def __repr__(self) -> str:
        return f"LinkConfig({self.domain} at {self.host}:{self.port})"
