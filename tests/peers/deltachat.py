"""Knows how a test is somebody who uses Delta Chat: an account at a mail server, chats, messages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltachat_rpc_client import DeltaChat as Client
from deltachat_rpc_client import Rpc

from tests.peers.daemon import scratch

_PLAIN_MAIL = {"force_encryption": "0", "bcc_self": "0", "mdns_enabled": "0"}


@dataclass(frozen=True)
class Mailbox:
    """Whose mailbox it is, and where: TLS from the first byte at both ports."""

    address: str
    password: str
    imap_port: int
    smtp_port: int

    def transport(self) -> dict[str, Any]:
        """In Delta Chat's words."""
        return {
            "addr": self.address,
            "password": self.password,
            "imapServer": "127.0.0.1",
            "imapPort": self.imap_port,
            "imapSecurity": "ssl",
            "smtpServer": "127.0.0.1",
            "smtpPort": self.smtp_port,
            "smtpSecurity": "ssl",
            "certificateChecks": "acceptInvalidCertificates",
        }


class DeltaChat:
    """Somebody's Delta Chat, online. `wait` looks at messages not yet waited for, in order."""

    def __init__(self, account: Any) -> None:
        self.account = account
        self._seen: set[int] = set()

    async def set(self, **config: str) -> None:
        """Change settings, such as `displayname` or `selfstatus` (the signature)."""
        for name, value in config.items():
            await asyncio.to_thread(self.account.set_config, name, value)

    async def say(self, address: str, text: str = "", *, file: Path | None = None, quote: Any = None) -> None:
        """Write to somebody; `quote` is a message of `wait` that is answered."""

        def send() -> None:
            chat = self.account.create_contact(address).create_chat()
            quoted = None if quote is None else quote.id
            chat.send_message(text=text or None, file=file and str(file), quoted_msg=quoted)

        await asyncio.to_thread(send)

    async def react(self, message: Any, emoji: str) -> None:
        """React to a message of `wait`."""

        def send() -> None:
            message.chat.accept()
            message.message.send_reaction(emoji)

        await asyncio.to_thread(send)

    async def wait(self, where: Callable[[Any], object] = bool, seconds: float = 30.0) -> Any:
        """The next message from somebody for which `where` holds, skipping others."""
        async with asyncio.timeout(seconds):
            while True:
                for message in await asyncio.to_thread(self._new):
                    self._seen.add(message.id)
                    if where(message):
                        return message
                await asyncio.sleep(0.1)

    def _new(self) -> list[Any]:
        found = []
        for chat in self.account.get_chatlist():
            for message in chat.get_messages():
                if message.id not in self._seen:
                    snapshot = message.get_snapshot()
                    if snapshot.is_info or snapshot.from_id == 1:
                        self._seen.add(message.id)
                    else:
                        found.append(snapshot)
        return sorted(found, key=lambda snapshot: int(snapshot.id))


def _start(folder: Path, mailbox: Mailbox, name: str) -> tuple[Rpc, DeltaChat]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "RUST_LOG": "warn"}
    rpc = Rpc(accounts_dir=str(folder / "accounts"), env=environment, stderr=subprocess.DEVNULL)
    rpc.start()
    try:
        account = Client(rpc).add_account()
        for key, value in {**_PLAIN_MAIL, "displayname": name}.items():
            account.set_config(key, value)
        account.add_or_update_transport(mailbox.transport())
        account.bring_online()
    except BaseException:
        _stop(rpc)
        raise
    return rpc, DeltaChat(account)


def _stop(rpc: Rpc) -> None:
    rpc.close()
    rpc.process.wait(15)
    if rpc.process.stdout is not None:
        rpc.process.stdout.close()


@contextlib.asynccontextmanager
async def deltachat(mailbox: Mailbox, name: str) -> AsyncIterator[DeltaChat]:
    """Somebody called `name`, on Delta Chat with their mailbox; mail that is there already is not shown."""
    with scratch("deltachat") as folder:
        rpc, chat = await asyncio.to_thread(_start, folder, mailbox, name)
        try:
            yield chat
        finally:
            await asyncio.to_thread(_stop, rpc)
