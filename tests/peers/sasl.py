"""Knows enough of Dovecot's authentication protocol (1.2) to tell a Postfix whose password is right."""

from __future__ import annotations

import base64
import os
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_MECHANISMS = "MECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
_HELLO = f"VERSION\t1\t2\n{_MECHANISMS}SPID\t{{pid}}\nCUID\t1\nCOOKIE\t{{pid:032d}}\nDONE\n"


class _Conversation(socketserver.StreamRequestHandler):
    server: SaslServer

    def handle(self) -> None:
        self.wfile.write(_HELLO.format(pid=os.getpid()).encode())
        asked: dict[str, list[str]] = {}
        for raw in self.rfile:
            word, *fields = raw.decode().rstrip("\n").split("\t")
            if word == "AUTH":
                asked[fields[0]] = [fields[1]]
                response = next((f[5:] for f in fields if f.startswith("resp=")), None)
                self._go_on(fields[0], asked, response)
            elif word == "CONT":
                self._go_on(fields[0], asked, fields[1] if len(fields) > 1 else "")

    def _go_on(self, number: str, asked: dict[str, list[str]], response: str | None) -> None:
        if response is not None:
            asked[number].append(base64.b64decode(response).decode())
        mechanism, *answers = asked[number]
        wanted = 1 if mechanism == "PLAIN" else 2
        if len(answers) < wanted:
            prompt = "" if mechanism == "PLAIN" else ("Username:", "Password:")[len(answers)]
            self._say(f"CONT\t{number}\t{base64.b64encode(prompt.encode()).decode()}")
            return
        user, password = answers[0].split("\0")[1:] if mechanism == "PLAIN" else answers
        del asked[number]
        good = self.server.users.get(user) == password
        self._say(f"OK\t{number}\tuser={user}" if good else f"FAIL\t{number}\tuser={user}")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\n".encode())


class SaslServer(socketserver.ThreadingTCPServer):
    """Answers a Postfix with `smtpd_sasl_type = dovecot` and `smtpd_sasl_path = inet:127.0.0.1:PORT`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, users: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.users = dict(users)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def running_sasl(users: Mapping[str, str]) -> Iterator[SaslServer]:
    """A server that knows these users (name -> password), gone after the `with`."""
    with SaslServer(users) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
