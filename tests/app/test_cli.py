"""The command line: exit codes, and messages that a person can act on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge import __version__
from bridge.app.cli import main
from bridge.app.lock import locked
from bridge.store import migrate
from tests.app.support import HEAD, offer, sample, write
from tests.peers.daemon import free_port
from tests.peers.ejabberd import Ejabberd
from tests.peers.prosody import Prosody

DATA = 'data_dir = "data"\n'


def run(*words: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(autouse=True)
def quiet_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.app.logs.set_up", lambda *_, **__: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path, DATA + HEAD)


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.output == f"xmpp-bridge, version {__version__}\n"


@pytest.mark.parametrize("words", [["fly"], ["check", "--fly"], ["run", "-c"]])
def test_a_wrong_command_line_is_2(words: Sequence[str]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize("command", ["run", "check", "migrate", "rotate-keys"])
def test_a_wrong_configuration_is_1_everywhere(command: str, tmp_path: Path) -> None:
    file = write(tmp_path, "a = 1\n[xmpp]\nport = 'x'\n" + HEAD)
    result = run(command, "-c", file)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{file}: a: unknown key; known here: data_dir, admins, store, xmpp, log, archive, limits, gateway",
        f'{file}: xmpp.port: expected a whole number from 1 to 65535, found "x"',
    ]
    assert result.stdout == ""


def test_no_configuration_at_all(tmp_path: Path) -> None:
    result = run("check", "-c", tmp_path / "none.toml")
    assert result.exit_code == 1
    assert "there is no such file; copy config.example.toml there, or name another with -c" in result.stderr


def test_check_offline_of_a_fresh_configuration(config: Path) -> None:
    result = run("check", "--offline", "-c", config)
    assert result.exit_code == 0, result.output
    assert "no mistakes; gateways: irc.example.com (sample)" in result.output
    assert result.output.count("will be made at the first start") == 3
    assert not (config.parent / "data").exists()


def test_check_notes_what_is_worth_a_look(config: Path) -> None:
    config.chmod(0o644)
    result = run("check", "--offline", "-c", config)
    assert result.exit_code == 0
    assert f"note  {config}: holds a secret and is open to everybody: chmod o-rwx {config}" in result.output
    config.chmod(0o640)
    assert "holds a secret" not in run("check", "--offline", "-c", config).output


def test_check_finds_an_open_key_file_and_a_broken_store(config: Path) -> None:
    data = config.parent / "data"
    data.mkdir()
    (data / "vault.key").write_text("x")
    (data / "vault.key").chmod(0o644)
    (data / "bridge.db").write_text("this is no database, and long enough to be sure of it" * 50)
    result = run("check", "--offline", "-c", config)
    assert result.exit_code == 1
    assert f"bad   key file: key file {data}/vault.key can be read by others; do: chmod 600" in result.output
    assert f"bad   store: the database sqlite:///{data}/bridge.db can't be opened" in result.output


def test_check_finds_a_data_dir_that_can_not_be(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    result = run("check", "--offline", "-c", write(tmp_path, f'data_dir = "data/x"\n{HEAD}'))
    assert result.exit_code == 1
    assert f"bad   data_dir: {tmp_path}/data/x can't be made" in result.output


def test_check_finds_options_that_the_backend_does_not_like(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(options: object) -> None:
        raise ValueError('"relay" must be reachable')

    factory = sample()
    factory.create = create
    offer(monkeypatch, sample=factory)
    result = run("check", "--offline", "-c", config)
    assert result.exit_code == 1
    assert (
        'bad   irc.example.com: gateway."irc.example.com".options: "relay" must be reachable' in result.output
    )


def test_check_tells_every_option_that_the_backend_does_not_like(tmp_path: Path) -> None:
    text = """
    [gateway."sms.example.com"]
    backend = "sms"
    secret = "x"
    [gateway."sms.example.com".options]
    country = "USA"
    segments_notice = 90
    [gateway."sms.example.com".options.routes.main]
    carrier = "smpp"
    host = "x"
    system_id = "me"
    port = 70000
    password_file = "none"
    [gateway."sms.example.com".options.numbers]
    "+15551230001" = { user = "alice" }
    """
    file = write(tmp_path, DATA + text)
    result = run("check", "--offline", "-c", file)
    assert result.exit_code == 1
    options = 'gateway."sms.example.com".options'
    told = [
        f"{options}.routes.main.port: expected 0 to 65535, found 70000",
        f"{options}.routes.main.password_file: No such file or directory: {tmp_path}/none",
        f"{options}.numbers.\"+15551230001\".user: expected a JID like alice@example.com, found 'alice'",
        f'{options}.country: expected one like "US" or "DE", found \'USA\'',
        f"{options}: segments_notice, most_segments: expected 1 to 255, and most_segments the larger",
    ]
    assert [line for line in result.output.splitlines() if line.startswith("bad")] == [
        f"bad   sms.example.com: {line}" for line in told
    ]
    started = run("run", "-c", file)
    assert started.exit_code == 1
    assert started.stderr.splitlines() == told


def test_check_lists_options(config: Path) -> None:
    result = run("check", "--options", "-c", config)
    assert result.exit_code == 0
    assert 'mode = "fast"    # one of "fast", "slow"' in result.output


def test_check_lists_options_without_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bridge.app.config.DEFAULT_FILES", ("config.toml",))
    result = run("check", "--options")
    assert result.exit_code == 0, result.output
    assert '# backend = "sample"\n[gateway."sample.example.com".options]' in result.output
    assert 'mode = "fast"    # one of "fast", "slow"' in result.output
    missing = run("check", "--options", "-c", tmp_path / "none.toml")
    assert missing.exit_code == 1
    assert "there is no such file" in missing.stderr


def test_check_finds_a_file_where_the_data_dir_belongs(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    result = run("check", "--offline", "-c", write(tmp_path, DATA + HEAD))
    assert result.exit_code == 1
    assert f"bad   data_dir: {tmp_path}/data is a file, and should be a folder" in result.output


def test_migrate_says_from_and_to(config: Path) -> None:
    first = run("migrate", "-c", config)
    assert (first.exit_code, first.output) == (0, f"the store went from schema none to {migrate.HEAD}\n")
    second = run("migrate", "-c", config)
    assert second.output == f"the store has schema {migrate.HEAD} already; nothing to do\n"
    assert "ok    store:" in run("check", "--offline", "-c", config).output


def test_no_migration_under_a_running_bridge(config: Path) -> None:
    with locked(config.parent / "data"):
        result = run("migrate", "-c", config)
    assert result.exit_code == 1
    assert "stop it first" in result.stderr


def test_rotate_keys_makes_the_first_key_too(config: Path) -> None:
    (config.parent / "data").mkdir()
    result = run("rotate-keys", "-c", config)
    assert result.exit_code == 0, result.output
    assert "0 rows are encrypted with it; 0 old keys are kept" in result.output


def test_rotate_keys_refuses_a_bad_key_file(config: Path) -> None:
    (config.parent / "data").mkdir()
    key = config.parent / "data" / "vault.key"
    key.write_text("not a key\n")
    key.chmod(0o600)
    result = run("rotate-keys", "-c", config)
    assert result.exit_code == 1
    assert "a key must be 32 bytes" in result.stderr
    assert key.read_text() == "not a key\n"


def test_python_m_bridge_is_the_same_and_starts_lean(config: Path) -> None:
    script = "import sys, runpy; sys.argv[1:] = ['--help']\n"
    script += "try: runpy.run_module('bridge', run_name='__main__')\n"
    script += "except SystemExit: pass\n"
    script += "import json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *help_lines, modules = done.stdout.splitlines()
    assert "rotate-keys" in "\n".join(help_lines)
    assert not {"slixmpp", "sqlalchemy", "msgspec", "cryptography"} & set(json.loads(modules))


# -- the link to a real server


def real(folder: Path, port: int, domain: str = "irc.example.test", secret: str = "sekrit") -> Path:
    return write(
        folder,
        f'{DATA}[xmpp]\nport = {port}\n[gateway."{domain}"]\nbackend = "sample"\nsecret = "{secret}"\n',
    )


def test_check_of_a_link_that_works(prosody: Prosody, tmp_path: Path) -> None:
    result = run("check", "-c", real(tmp_path, prosody.component_port))
    assert result.exit_code == 0, result.output
    assert "ok    irc.example.test: the XMPP server at 127.0.0.1:" in result.output


def test_check_knows_the_port_for_clients_of_an_ejabberd(ejabberd: Ejabberd, tmp_path: Path) -> None:
    clients = run("check", "-c", real(tmp_path, ejabberd.c2s_port))
    assert clients.exit_code == 1
    assert "this port of the server is not for components (it may be that for clients)" in clients.output


def test_check_says_what_an_ejabberd_needs(ejabberd: Ejabberd, tmp_path: Path) -> None:
    found = run("check", "-c", real(tmp_path, ejabberd.component_port))
    assert found.exit_code == 0
    assert "ok    irc.example.test: the XMPP server at 127.0.0.1:" in found.output
    assert "note  example.test: ejabberd keeps private messages through a crash only if" in found.output


def test_check_says_what_is_wrong_with_a_link(prosody: Prosody, tmp_path: Path) -> None:
    port = prosody.component_port
    wrong_secret = run("check", "-c", real(tmp_path, port, secret="wrong-one"))
    assert wrong_secret.exit_code == 1
    assert "bad   irc.example.test: the server does not accept the secret" in wrong_secret.output
    assert "wrong-one" not in wrong_secret.output
    unknown = run("check", "-c", real(tmp_path, port, domain="sms.example.test"))
    assert unknown.exit_code == 1
    assert "bad   sms.example.test:" in unknown.output
    clients = run("check", "-c", real(tmp_path, prosody.c2s_port))
    assert clients.exit_code == 1
    assert "see that this is its port for components (often 5347; 5222 is for clients)" in clients.output
    closed = run("check", "-c", real(tmp_path, free_port()))
    assert closed.exit_code == 1
    assert "refuses the connection: is the XMPP server running" in closed.output
