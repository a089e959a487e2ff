"""Sends a mail to alice, as a mail server elsewhere would: `mail.py PORT "text"`. It needs Python alone."""

from __future__ import annotations

import argparse
import smtplib
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid, parseaddr

ALICE = "alice@garden.localhost"
ROSE = "Rose Red <rose@meadow.localhost>"


def send(port: int, text: str, *, subject: str = "Tea", sender: str = ROSE) -> str:
    """Send a mail by SMTP; returns its Message-ID. Raises smtplib.SMTPException or OSError."""
    name, address = parseaddr(sender)
    mail = EmailMessage()
    mail["From"], mail["To"] = formataddr((name, address)), ALICE
    mail["Subject"], mail["Date"] = subject, formatdate()
    mail["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
    mail.set_content(f"{text}\n\n-- \n{name}\n")
    with smtplib.SMTP("127.0.0.1", port, local_hostname="meadow.localhost", timeout=30) as smtp:
        smtp.send_message(mail, address, [ALICE])
    return str(mail["Message-ID"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("text")
    parser.add_argument("--subject", default="Tea")
    parser.add_argument("--from", dest="sender", default=ROSE)
    given = parser.parse_args()
    send(given.port, given.text, subject=given.subject, sender=given.sender)
