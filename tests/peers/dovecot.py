"""Knows how a throw-away Dovecot is configured: IMAP, LMTP, and the login service that a Postfix asks."""

from __future__ import annotations

import base64
import contextlib
import getpass
import grp
import itertools
import os
import shutil
import smtplib
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, free_port, own, running, scratch
from tests.peers.tls import Certificates, make_certificates

_MAIL_USER, _MAIL_GROUP = "nobody", "nogroup"

_WITHOUT_IDLE = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE LITERAL+ UIDPLUS SPECIAL-USE MOVE"

# A line may end with a brace only if nothing follows in it: Dovecot's own rule.
_CONFIG = """\
protocols = imap lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert_file}
ssl_key = <{key_file}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_username_format = %Lu
auth_failure_delay = 0
mail_location = maildir:~/Maildir
mail_home = {folder}/home/%Lu
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
mailbox_list_index = yes
{process_users}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {folder}/users/%Lu
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home/%Lu
}}
namespace inbox {{
  inbox = yes
{mailboxes}
}}
service imap-login {{
{chroot}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
service auth {{
  inet_listener {{
    port = {auth_port}
  }}
}}
service anvil {{
{chroot}
}}
service stats {{
{chroot}
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service imap {{
  process_limit = 200
}}
protocol lmtp {{
  postmaster_address = postmaster@example.org
  mail_plugins = $mail_plugins{lmtp_plugins}
}}
protocol imap {{
  mail_max_userip_connections = 1000
  mail_plugins = $mail_plugins{imap_plugins}
{imap_lines}
}}
{extra}
"""

_SENT = """\
  mailbox {name} {{
    special_use = \\Sent
    auto = create
  }}"""

_QUOTA = """\
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage={quota}
  quota_grace = 0
}}"""

_ROOTLESS = """\
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}"""


class Dovecot(Daemon):
    """A running Dovecot for any addresses; an account is there as soon as `add_account` returns.

    `port` speaks IMAP with STARTTLS, `tls_port` TLS at once, with a certificate for `server` that `ca_file`
    vouches for; `lmtp_port` takes mail for every account, `auth_port` is for Postfix (`smtpd_sasl_path =
    inet:127.0.0.1:PORT`). `sent` is the name of the mailbox that is marked as \\Sent (empty: there is none),
    `idle=False` takes IDLE away, `quota` (such as "20K") fills up soon. `mechanisms` are the SASL ones;
    `certificates` replaces those that are made for `server`.
    """

    name = "dovecot"

    def __init__(
        self,
        folder: Path,
        *,
        idle: bool = True,
        sent: str = "Sent",
        quota: str = "",
        mechanisms: str = "plain login",
        certificates: Certificates | None = None,
        extra: str = "",
    ) -> None:
        self.server = "mail.example.org"
        self.port, self.tls_port = free_port(), free_port()
        self.lmtp_port, self.auth_port = free_port(), free_port()
        super().__init__(folder, [self.port, self.tls_port, self.lmtp_port, self.auth_port])
        self.certificates = certificates or make_certificates(folder, self.server)
        self.ca_file = self.certificates.ca_file
        self.config_file, self.users = folder / "dovecot.conf", folder / "users"
        self.home = folder / "home"
        self._numbers = itertools.count(1)
        self._write_config(idle, sent, quota, mechanisms, extra)

    def _write_config(self, idle: bool, sent: str, quota: str, mechanisms: str, extra: str) -> None:
        root = os.geteuid() == 0
        user, group = (
            (_MAIL_USER, _MAIL_GROUP) if root else (getpass.getuser(), grp.getgrgid(os.getegid()).gr_name)
        )
        self.config_file.write_text(
            _CONFIG.format(
                folder=self.folder,
                cert_file=self.certificates.cert_file,
                key_file=self.certificates.key_file,
                port=self.port,
                tls_port=self.tls_port,
                lmtp_port=self.lmtp_port,
                auth_port=self.auth_port,
                user=user,
                group=group,
                mechanisms=mechanisms,
                process_users="" if root else _ROOTLESS.format(user=user, group=group),
                chroot="" if root else "  chroot =",
                mailboxes=_SENT.format(name=sent) if sent else "",
                lmtp_plugins=" quota" if quota else "",
                imap_plugins=" quota imap_quota" if quota else "",
                imap_lines="" if idle else f"  imap_capability = {_WITHOUT_IDLE}",
                extra=(_QUOTA.format(quota=quota) if quota else "") + "\n" + extra,
            )
        )
        self.users.mkdir(mode=0o755)
        self.home.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        own(self.home, _MAIL_USER)

    def command(self) -> list[str]:
        return [find_program("dovecot"), "-F", "-c", str(self.config_file)]

    def add_account(self, address: str, password: str) -> None:
        """Let somebody log in, at once. An address that is there gets the new password, within a second."""
        coded = base64.b64encode(password.encode()).decode()
        # A file for each: one that it has read already the server looks at only once in a second.
        file = self.users / address.lower()
        file.write_text(f"{address.lower()}:{{PLAIN.b64}}{coded}\n")
        file.chmod(0o644)

    def maildir(self, address: str, mailbox: str = "") -> Path:
        """Where an account's mailbox lies (empty: the inbox); mailbox names as on disk (modified UTF-7)."""
        root = self.home / address.lower() / "Maildir"
        return root / f".{mailbox}" if mailbox else root

    def deliver(self, address: str, mail: bytes, sender: str = "") -> None:
        """Bring a mail into an account's inbox by LMTP, as a mail server would."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail(sender, [address], mail)

    def drop(self, address: str, *mails: bytes) -> None:
        """Put mails into an account's inbox as files: much faster than `deliver` for many."""
        inbox = self.maildir(address)
        if not inbox.is_dir():
            for folder in ("tmp", "new", "cur"):
                (inbox / folder).mkdir(parents=True, exist_ok=True)
            own(self.home / address.lower(), _MAIL_USER)
        for mail in mails:
            path = inbox / "tmp" / f"{1000000000 + next(self._numbers)}.drop.test"
            path.write_bytes(mail)
            own(path, _MAIL_USER)
            path.rename(inbox / "new" / path.name)

    def mails(self, address: str, mailbox: str = "") -> list[bytes]:
        """All mails in a mailbox, as bytes, oldest first."""
        folder = self.maildir(address, mailbox)
        files = [file for part in ("cur", "new") for file in (folder / part).glob("*")]
        return [file.read_bytes() for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]

    def flags(self, address: str, mailbox: str = "") -> list[str]:
        """The flags of each mail, in Maildir's letters (S: seen, T: deleted), in the order of `mails`."""
        folder = self.maildir(address, mailbox)
        files = [file for part in ("cur", "new") for file in (folder / part).glob("*")]
        return [
            file.name.partition(":2,")[2] for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)
        ]

    def forget_indexes(self, address: str) -> None:
        """Make the server number an account's mails anew: the next who selects finds another UIDVALIDITY."""
        inbox = self.maildir(address)
        for folder in (inbox, *inbox.glob(".*")):
            for file in folder.glob("dovecot*"):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        # By itself it takes the second as the new number, which may be the old one still.
        uids = inbox / "dovecot-uidlist"
        uids.write_text(f"3 V{int(time.time()) + next(self._numbers)} N1\n")
        own(uids, _MAIL_USER)

    def doveadm(self, *words: str) -> str:
        """What the administration tool says; raises CalledProcessError when it fails."""
        command = [find_program("doveadm"), "-c", str(self.config_file), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def trusting(self) -> ssl.SSLContext:
        """A TLS context that trusts this server's authority only."""
        return ssl.create_default_context(cafile=str(self.ca_file))


@contextlib.contextmanager
def running_dovecot(
    *,
    idle: bool = True,
    sent: str = "Sent",
    quota: str = "",
    mechanisms: str = "plain login",
    certificates: Certificates | None = None,
    extra: str = "",
) -> Iterator[Dovecot]:
    """A fresh Dovecot without accounts, gone after the `with`. See `Dovecot` for the arguments."""
    with scratch("dovecot") as folder:
        server = Dovecot(
            folder,
            idle=idle,
            sent=sent,
            quota=quota,
            mechanisms=mechanisms,
            certificates=certificates,
            extra=extra,
        )
        with running(server):
            yield server
