"""Every mistake in a configuration is one line: where it is, what was expected and what was found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.app import backends
from bridge.app.config import load
from bridge.app.config_errors import ConfigError
from tests.app.support import HEAD, mistakes, offer, sample, write

GATEWAY = 'gateway."irc.example.com"'
VARIABLE = "XMPP_BRIDGE_SECRET_IRC_EXAMPLE_COM"

TABLE = [
    # plain values
    ("[xmpp]\nport = '5347'", 'xmpp.port: expected a whole number from 1 to 65535, found "5347"'),
    ("[xmpp]\nport = 0", "xmpp.port: expected a whole number from 1 to 65535, found 0"),
    ("[xmpp]\nport = true", "xmpp.port: expected a whole number from 1 to 65535, found true"),
    ("[xmpp]\nhost = ''", 'xmpp.host: expected a text that is not empty, found ""'),
    ("[xmpp]\ntls = 'yes'", 'xmpp.tls: expected true or false, found "yes"'),
    ("[log]\nlevel = 'loud'", 'log.level: expected one of "debug", "error", "info", "warning", found "loud"'),
    ("[log]\nformat = 1", 'log.format: expected one of "auto", "json", "text", found 1'),
    ("[archive]\ndays = -1", "archive.days: expected a whole number at least 0, found -1"),
    ("[archive]\ndays = 1.5", "archive.days: expected a whole number at least 0, found 1.5"),
    ("[archive]\ndays = 2026-01-01", "archive.days: expected a whole number at least 0, found a date"),
    (
        "[limits]\nmessages_per_second = 0",
        "limits.messages_per_second: expected a number more than 0, found 0",
    ),
    (
        "[store]\nurl = 'mysql://root:hunter2@db/x'",
        'store.url: expected a URL like "sqlite:////var/lib/xmpp-bridge/bridge.db" or '
        '"postgresql://user@host/database", found "mysql://root:***@db/x"',
    ),
    # tables
    ("xmpp = 5", "xmpp: expected a table, found 5"),
    ("[[log]]\nlevel = 'info'", "log: expected a table, found a list"),
    ("data_dir = ['a']", "data_dir: expected a text, found a list"),
    # lists
    ("admins = 'a@b'", 'admins: expected a list, each a bare JID like "admin@example.com", found "a@b"'),
    ("admins = ['a@b', 7]", 'admins[1]: expected a bare JID like "admin@example.com", found 7'),
    ("admins = ['admin']", 'admins[0]: expected a bare JID like "admin@example.com", found "admin"'),
    # unknown keys
    ("[xmpp]\nprot = 1", 'xmpp.prot: unknown key; did you mean "port"?'),
    ("[xmpp]\nPORT = 1", 'xmpp.PORT: unknown key; did you mean "port"?'),
    (
        "[archive]\ncolour = 1",
        "archive.colour: unknown key; known here: enabled, days",
    ),
    ("[archiv]\ndays = 1", 'archiv: unknown key; did you mean "archive"?'),
    (
        "[log]\nadmins = ['a@b']",
        "log.admins: unknown key here; it belongs at the top of the file, above the first [table]",
    ),
    (
        "[xmpp]\nsecret = 'hunter2'",
        'xmpp.secret: unknown key here; each gateway has its own, in [gateway."DOMAIN"]',
    ),
]


@pytest.mark.parametrize(("text", "message"), TABLE)
def test_a_mistake_outside_the_gateways(text: str, message: str, tmp_path: Path) -> None:
    text = f"{text}\n{HEAD}"
    assert mistakes(tmp_path, text) == [message]


GATEWAYS = [
    ("", 'gateway: missing; expected at least one table like [gateway."irc.example.com"]'),
    ("gateway = 1", 'gateway: expected tables like [gateway."irc.example.com"], found 1'),
    ("[gateway]\nx = 1", "gateway.x: expected a table, found 1"),
    (
        "[gateway.irc.example.com]\nbackend = 'sample'",
        'gateway.irc: write the domain in quotes: [gateway."irc.example.com"]',
    ),
    (
        "[gateway.'a b']\nbackend = 'sample'\nsecret = 'x'",
        'gateway."a b": expected a domain like "irc.example.com", found "a b"',
    ),
    (
        "[gateway.'me@example.com']\nbackend = 'sample'\nsecret = 'x'",
        'gateway."me@example.com": expected a domain like "irc.example.com", found "me@example.com"',
    ),
    (
        HEAD + HEAD.replace("irc.ex", "IRC.ex"),
        'gateway."IRC.example.com": the domain irc.example.com is there twice',
    ),
    (HEAD + HEAD, 'line 4, column 27: the table [gateway."irc.example.com"] is there twice'),
    (
        HEAD.replace("sample", "sampel"),
        f'{GATEWAY}.backend: expected one of email, irc, sample, sms, found "sampel"; did you mean "sample"?',
    ),
    (HEAD.replace('"sample"', "5"), f"{GATEWAY}.backend: expected a text that is not empty, found 5"),
    (f"[{GATEWAY}]\nsecret = 'x'", f"{GATEWAY}.backend: missing; expected a text that is not empty"),
    (
        HEAD + "registration = 'shut'",
        f'{GATEWAY}.registration: expected one of "closed", "open", found "shut"',
    ),
    (
        HEAD + "allowed_users = ['a@b', 'a b']",
        f'{GATEWAY}.allowed_users[1]: expected a JID with "*" for any text, '
        'like "*@example.com" or "example.com", found "a b"',
    ),
    (HEAD + "seret_file = 'x'", f'{GATEWAY}.seret_file: unknown key; did you mean "secret_file"?'),
    (HEAD + "port = 70000", f"{GATEWAY}.port: expected a whole number from 1 to 65535, found 70000"),
    # the secret
    (
        f"[{GATEWAY}]\nbackend = 'sample'",
        f'{GATEWAY}.secret: missing; expected one of "secret", "secret_file", the environment\'s {VARIABLE}',
    ),
    (
        HEAD.replace("hunter2hunter2", ""),
        f'{GATEWAY}.secret: missing; expected one of "secret", "secret_file", the environment\'s {VARIABLE}',
    ),
    (
        HEAD + "secret_file = 'x'",
        f'{GATEWAY}.secret: expected in one place, found in "secret" and "secret_file"',
    ),
    (
        HEAD.replace('"hunter2hunter2"', "4711"),
        f"{GATEWAY}.secret: expected a text, found a number (not shown)",
    ),
    # the backend's options
    (HEAD + "options = 1", f"{GATEWAY}.options: expected a table, found 1"),
    (HEAD + "options.mode = 'fats'", f'{GATEWAY}.options.mode: expected one of "fast", "slow", found "fats"'),
    (HEAD + "options.timout = 1", f'{GATEWAY}.options.timout: unknown key; did you mean "timeout"?'),
    (HEAD + "options.relay = 'x'", f'{GATEWAY}.options.relay: expected a table, found "x"'),
    (HEAD + "options.relay = {}", f"{GATEWAY}.options.relay.host: missing; expected a text"),
    (
        HEAD + "options.relay = {host='a', prt=1}",
        f'{GATEWAY}.options.relay.prt: unknown key; did you mean "port"?',
    ),
    (
        HEAD + "options.relays = [{host='a'}, {host=1}]",
        f"{GATEWAY}.options.relays[1].host: expected a text, found 1",
    ),
    (HEAD + "options.relays = 1", f"{GATEWAY}.options.relays: expected a list, each a table, found 1"),
    (
        HEAD + "options.named.'a.b' = {host='a', port=0}",
        f'{GATEWAY}.options.named."a.b".port: expected a whole number from 1 to 65535, found 0',
    ),
    # tables of several kinds
    (
        HEAD + "options.links.a = {length=1}",
        f'{GATEWAY}.options.links.a.kind: missing; expected one of "wire", "radio"',
    ),
    (
        HEAD + "options.links.a = {kind='wyre'}",
        f'{GATEWAY}.options.links.a.kind: expected one of "wire", "radio", '
        'found "wyre"; did you mean "wire"?',
    ),
    (
        HEAD + "options.links.a = {kind=1}",
        f'{GATEWAY}.options.links.a.kind: expected one of "wire", "radio", found 1',
    ),
    (HEAD + "options.links.a = 5", f"{GATEWAY}.options.links.a: expected a table, found 5"),
    (
        HEAD + "options.links.a = {kind='wire'}",
        f"{GATEWAY}.options.links.a.length: missing; expected a whole number",
    ),
    (
        HEAD + "options.links.a = {kind='radio', length=1}",
        f"{GATEWAY}.options.links.a.length: unknown key; known here: channel, pass_file",
    ),
    # tables that stand above or below each other
    (HEAD + "ports = [1]", f"{GATEWAY}.ports: unknown key here; it belongs in [{GATEWAY}.options]"),
    (
        HEAD + "options.allow_private_networks = true",
        f"{GATEWAY}.options.allow_private_networks: unknown key here; it belongs in [{GATEWAY}]",
    ),
    (HEAD + "options.ports = [1, 'x']", f'{GATEWAY}.options.ports[1]: expected a whole number, found "x"'),
    (
        HEAD + "options.ports = [1]\noptions.mode = 'slow'",
        f'{GATEWAY}.options: "ports" make no sense with mode = "slow"',
    ),
    (
        HEAD + "options.password = 5",
        f"{GATEWAY}.options.password: expected a text, found a number (not shown)",
    ),
    (
        HEAD + "options.password = 'a'\noptions.password_file = 'b'",
        f'{GATEWAY}.options.password_file: expected either "password" or "password_file", found both',
    ),
    (
        HEAD + "options.password_file = 5",
        f"{GATEWAY}.options.password_file: expected the path of a file, found 5",
    ),
]


@pytest.mark.parametrize(("text", "message"), GATEWAYS)
def test_a_mistake_in_a_gateway(text: str, message: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, text) == [message]


def test_several_mistakes_are_all_told_at_once(tmp_path: Path) -> None:
    text = """
    data_dri = "x"
    admins = ["a", "b@c", 3]
    [xmpp]
    port = "x"
    tsl = true
    [log]
    level = 5
    [gateway."a.example.com"]
    backend = "sample"
    registration = 1
    [gateway."a.example.com".options]
    mode = 1
    relays = [{}, {host = "x", port = "y"}]
    [gateway."b.example.com"]
    backend = "nothing"
    secret = "x"
    """
    found = mistakes(tmp_path, text)
    assert [line.partition(": ")[0] for line in found] == [
        "data_dri",
        "admins[0]",
        "admins[2]",
        "xmpp.tsl",
        "xmpp.port",
        "log.level",
        'gateway."a.example.com".registration',
        'gateway."a.example.com".secret',
        'gateway."a.example.com".options.relays[0].host',
        'gateway."a.example.com".options.relays[1].port',
        'gateway."a.example.com".options.mode',
        'gateway."b.example.com".backend',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb == 2", "line 2, column 4: not TOML: Invalid value"),
        ("[xmpp", "end of the file: not TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2\n", "line 2, column 6: not TOML: this key is there twice"),
        ("[log]\n[log]", "line 2, column 5: the table [log] is there twice"),
    ],
)
def test_a_syntax_error_has_its_place(text: str, message: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, text) == [message]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file; copy config\.example\.toml there"):
        load(tmp_path / "nothing.toml", {})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(tmp_path, {})


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(byte 5\)"):
        load(file, {})


def _secret_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "irc.secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


OPEN_TO_ALL = (
    "expected a file that only its owner can read, found one open to everybody: {file} (chmod 600 mends it)"
)
FILE_HEAD = f"[{GATEWAY}]\nbackend = 'sample'\nsecret_file = './irc.secret'\n"


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"", 0o600, "expected a secret, found an empty file: {file}"),
        (b" \n\n", 0o600, "expected a secret, found an empty file: {file}"),
        (b"hunter2\nhunter3\n", 0o600, "expected one line, found several in {file}"),
        (b"\xff\xfe", 0o600, "expected a text in UTF-8, found other bytes in {file}"),
        (
            b"hunter2",
            0o644,
            OPEN_TO_ALL,
        ),
        (
            b"hunter2",
            0o602,
            OPEN_TO_ALL,
        ),
    ],
)
def test_a_secret_file_that_can_not_be_used(content: bytes, mode: int, message: str, tmp_path: Path) -> None:
    file = _secret_file(tmp_path, content, mode)
    assert mistakes(tmp_path, FILE_HEAD) == [f"{GATEWAY}.secret_file: {message.format(file=file)}"]


def test_a_secret_file_that_is_not_there(tmp_path: Path) -> None:
    expected = f"expected a file with the secret, found no file: {tmp_path / 'irc.secret'}"
    assert mistakes(tmp_path, FILE_HEAD) == [f"{GATEWAY}.secret_file: {expected}"]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_secret_file_that_is_no_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "irc.secret"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path, 0o600)
    [found] = mistakes(tmp_path, FILE_HEAD)
    assert "found a folder or device" in found


def test_a_secret_written_where_its_file_belongs_is_not_shown(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path, FILE_HEAD.replace("./irc.secret", "hunter2hunter2"))
    said = "expected a file with the secret, found no file"
    assert found == f"{GATEWAY}.secret_file: {said}: the file named here, in {tmp_path}"


def test_a_secret_in_two_places(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path, HEAD, **{VARIABLE: "hunter3"})
    assert (
        found
        == f'{GATEWAY}.secret: expected in one place, found in "secret" and the environment\'s {VARIABLE}'
    )


SECRETS = ["hunter2hunter2", "swordfish", "xyzzy-plugh"]


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("secret =", "secert ="),
        HEAD.replace("secret =", "secret_fiel ="),
        HEAD.replace("secret =", "Secret ="),
        HEAD.replace('"hunter2hunter2"', '["hunter2hunter2"]'),
        HEAD.replace('"hunter2hunter2"', '{value = "hunter2hunter2"}'),
        HEAD + "options.password = ['swordfish']",
        HEAD + "options.greeting = {x = 'swordfish'}",
        HEAD + "options.password = 'swordfish'\noptions.mode = 1",
        HEAD + "options.pasword = 'swordfish'",
        HEAD + "password = 'swordfish'",
        f"secret = 'swordfish'\n{HEAD}",
        f"[store]\nurl = 'sqlite//:xyzzy-plugh@'\nurl2 = 'x'\n{HEAD}".replace("xyzzy-plugh@", ""),
        f"[store]\nurl = 'redis://me:xyzzy-plugh@host/1'\n{HEAD}",
        HEAD.replace('"hunter2hunter2"', '"hunter2hunter2'),
    ],
)
def test_no_mistake_shows_a_secret(text: str, tmp_path: Path) -> None:
    found = "\n".join(mistakes(tmp_path, text))
    assert not [secret for secret in SECRETS if secret in found]


def test_a_backend_that_can_not_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, sample=ImportError("no module named 'smpp'"))
    expected = "the backend 'sample' can't be loaded: ImportError: no module named 'smpp'"
    assert mistakes(tmp_path, HEAD) == [f"{GATEWAY}.backend: {expected}"]


def test_a_backend_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, sample=object(), other=type("F", (), {"Options": sample().Options}))
    assert mistakes(tmp_path, HEAD) == [
        f"{GATEWAY}.backend: the backend 'sample' has no msgspec.Struct called Options"
    ]
    assert mistakes(tmp_path, HEAD.replace('"sample"', '"other"')) == [
        f"{GATEWAY}.backend: the backend 'other' has no function create(options)"
    ]


def test_the_checkout_has_backends_without_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    assert "irc" in backends.known_backends()
    assert backends.load("irc").Options.__name__ == "Options"
    with pytest.raises(backends.UnknownBackend, match=r"no backend is called 'os'; known: .*irc"):
        backends.load("os")


def test_a_file_that_nobody_lets_us_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(ConfigError, match="can't be read: Permission denied"):
        load(tmp_path / "config.toml", {})


def test_the_file_stands_in_front_of_each_line(tmp_path: Path) -> None:
    file = write(tmp_path, "x = 1\ny = 2\n" + HEAD)
    with pytest.raises(ConfigError) as raised:
        load(file, {})
    assert len(raised.value.mistakes) == 2
    assert str(raised.value).count(str(file)) == 2
