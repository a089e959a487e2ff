"""Sends a text to alice, as a phone elsewhere would: `phone.py PORT "text"`. It needs Python alone."""

from __future__ import annotations

import argparse
import json
import re
import socket

ALICE = "+12025550199"
STRANGER = "+12025550172"

_SAME_IN_GSM = re.compile(r"[A-Za-z0-9 \n!\"#%&'()*+,\-./:;<=>?]*")
"""Characters that the phone alphabet (3GPP TS 23.038) has where ASCII has them."""
_LONGEST = 140


def delivery(text: str, sender: str) -> dict[str, object]:
    """The fields of the deliver_sm (SMPP 3.4 §4.6.1) that brings a text to alice."""
    plain = _SAME_IN_GSM.fullmatch(text)
    octets = text.encode("ascii" if plain else "utf-16-be")
    return {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": sender.lstrip("+"),
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": ALICE.lstrip("+"),
        "data_coding": 0 if plain else 8,
        "short_message" if len(octets) <= _LONGEST else "message_payload": {"hex": octets.hex()},
    }


def send(port: int, text: str, sender: str = STRANGER) -> None:
    """Have the message centre, whose control port that is, send a text. Raises OSError."""
    wanted = {"id": 1, "do": "deliver", "fields": delivery(text, sender)}
    with socket.create_connection(("127.0.0.1", port), timeout=30) as control:
        control.sendall(json.dumps(wanted).encode() + b"\n")
        with control.makefile() as said:
            while "id" not in json.loads(next(said)):
                pass  # it also tells what happens to others


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("text")
    parser.add_argument("--from", dest="sender", default=STRANGER)
    given = parser.parse_args()
    send(given.port, given.text, given.sender)
