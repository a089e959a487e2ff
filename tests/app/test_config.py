"""What a good configuration becomes: defaults, places of files, secrets from three sources that stay so."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bridge.app.config import find_file, load
from bridge.app.config_errors import hide_password, passwords_of
from bridge.app.config_models import XmppSettings
from bridge.app.option_list import option_list
from bridge.app.wiring import core_settings, link_config
from tests.app.support import HEAD, Options, Relay, good

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def test_the_example_works_as_it_stands() -> None:
    config = load(EXAMPLE, {})
    [gateway] = config.gateways
    assert gateway.domain == "irc.example.com"
    assert gateway.backend == "irc"
    assert gateway.secret.reveal() == "change-me"
    assert config.admins == ("admin@example.com",)


def test_what_the_example_comments_out_works_too(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text().splitlines()
    file = tmp_path / "config.toml"
    file.write_text("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))
    assert len(tomllib.loads(file.read_text())["log"]) == 2
    shown, bare = load(file, {}), load(EXAMPLE, {})
    assert (shown.log, shown.limits, shown.archive, shown.xmpp) == (
        bare.log,
        bare.limits,
        bare.archive,
        bare.xmpp,
    )


def test_the_example_fits_on_a_screen() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 50


def test_defaults(tmp_path: Path) -> None:
    config = good(tmp_path, HEAD, XDG_DATA_HOME="/home/me/data")
    assert config.xmpp == XmppSettings(host="127.0.0.1", port=5347)
    assert config.data_dir == Path("/home/me/data/xmpp-bridge")
    assert config.store_url == "sqlite:////home/me/data/xmpp-bridge/bridge.db"
    assert config.key_file == Path("/home/me/data/xmpp-bridge/vault.key")
    assert config.archive.days == 90
    assert config.gateways[0].options == Options()


def test_systemd_says_where_data_lives(tmp_path: Path) -> None:
    config = good(tmp_path, HEAD, STATE_DIRECTORY="/var/lib/xmpp-bridge:/var/lib/other")
    assert config.data_dir == Path("/var/lib/xmpp-bridge")


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    config = good(tmp_path, f'data_dir = "data"\n[store]\nkey_file = "keys/vault"\n{HEAD}')
    assert config.data_dir == tmp_path / "data"
    assert config.key_file == tmp_path / "keys" / "vault"


def test_a_gateway_has_its_own_server_or_the_common_one(tmp_path: Path) -> None:
    patience = "ping_after = 5\nping_timeout = 7.5\n"
    text = f'[xmpp]\nhost = "xmpp"\nport = 1\ntls = true\nca_file = "ca"\n{patience}{HEAD}host = "other"\n'
    text += HEAD.replace("irc.", "sms.")
    irc, sms = good(tmp_path, text).gateways
    ca_file = str(tmp_path / "ca")
    assert irc.xmpp == XmppSettings("other", 1, True, ca_file, ping_after=5, ping_timeout=7.5)
    assert sms.xmpp.host == "xmpp"
    link = link_config(irc)
    assert (link.host, link.port, link.tls, link.server) == ("other", 1, True, "example.com")
    assert (link.silence_seconds, link.ping_seconds) == (5, 7.5)
    assert link.secret == "hunter2hunter2"


def test_the_core_gets_what_was_set(tmp_path: Path) -> None:
    text = f"""
    admins = ["Admin@Example.com"]
    [archive]
    enabled = false
    days = 3
    [limits]
    rooms_per_user = 7
    {HEAD}
    registration = "closed"
    allowed_users = ["Example.com", "b@*", "*"]
    allow_private_networks = true
    """
    config = good(tmp_path, text)
    settings = core_settings(config, config.gateways[0])
    assert settings.allowed_users == ("*@example.com", "b@*", "*")
    assert settings.admins == ("admin@example.com",)
    assert not settings.registration_open
    assert settings.allow_private_networks
    assert (settings.keep_archive, settings.archive_days, settings.rooms_per_user) == (False, 3, 7)


def test_nested_options(tmp_path: Path) -> None:
    text = f"""{HEAD}
    [gateway."irc.example.com".options]
    timeout = 3
    relay = {{host = "a", port = 26}}
    relays = [{{host = "b"}}]
    ports = [1, 2]
    [gateway."irc.example.com".options.named."x.y"]
    host = "c"
    """
    [gateway] = good(tmp_path, text).gateways
    assert gateway.options == Options(
        timeout=3.0, relay=Relay("a", 26), relays=(Relay("b"),), ports=(1, 2), named={"x.y": Relay("c")}
    )


def test_secrets_come_from_the_file_a_file_or_the_environment(tmp_path: Path) -> None:
    head = HEAD.replace('secret = "hunter2hunter2"', "")
    assert good(tmp_path, HEAD).gateways[0].secret.reveal() == "hunter2hunter2"
    variable = {"XMPP_BRIDGE_SECRET_IRC_EXAMPLE_COM": "from-environment"}
    assert good(tmp_path, head, **variable).gateways[0].secret.reveal() == "from-environment"
    secret = tmp_path / "irc.secret"
    secret.write_text("from-file\n")
    secret.chmod(0o640)
    text = f'{head}secret_file = "irc.secret"\n'
    assert good(tmp_path, text).gateways[0].secret.reveal() == "from-file"


def test_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "creds").mkdir()
    secret = tmp_path / "creds" / "irc"
    secret.write_text("from-systemd\n")
    secret.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "creds"))
    text = HEAD.replace('secret = "hunter2hunter2"', 'secret_file = "$CREDENTIALS_DIRECTORY/irc"')
    assert good(tmp_path, text).gateways[0].secret.reveal() == "from-systemd"


def test_a_secret_option_may_come_from_a_file(tmp_path: Path) -> None:
    for name in ("password", "greeting"):
        secret = tmp_path / name
        secret.write_text(f"{name} from file\n")
        secret.chmod(0o600)
    text = f'{HEAD}options.password_file = "password"\noptions.greeting_file = "greeting"'
    options = good(tmp_path, text).gateways[0].options
    assert options == Options(password="password from file", greeting="greeting from file")


def test_nothing_printed_has_a_secret(tmp_path: Path) -> None:
    text = f'[store]\nurl = "postgresql://bridge:xyzzy@db/x"\n{HEAD}'
    text += 'options = {password = "swordfish", greeting = "plugh!"}'
    config = good(tmp_path, text)
    gateway = config.gateways[0]
    printed = f"{config!r} {config} {config.gateways!r} {gateway.secret!r} {link_config(gateway)!r}"
    assert not [secret for secret in config.secrets() if secret in printed]
    assert set(config.secrets()) == {"hunter2hunter2", "swordfish", "plugh!", "xyzzy"}
    assert not [secret for secret in config.secrets() if secret in option_list(gateway)]


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("postgresql://u:p%40ss@h/d", "postgresql://u:***@h/d", ["p%40ss", "p@ss"]),
        ("postgresql://u:p@ss@h/d", "postgresql://u:***@h/d", ["p@ss"]),
        ("postgresql://h/d?user=u&password=pass&x=1", "postgresql://h/d?user=u&password=***&x=1", ["pass"]),
        ("postgresql://u@h/d", "postgresql://u@h/d", []),
        ("sqlite:////a/b.db", "sqlite:////a/b.db", []),
    ],
)
def test_the_password_in_a_store_url(url: str, shown: str, secrets: list[str]) -> None:
    assert hide_password(url) == shown
    assert passwords_of(url) == secrets


def test_the_list_of_options_says_what_each_takes(tmp_path: Path) -> None:
    text = option_list(good(tmp_path, HEAD + "options.ports = [7]").gateways[0])
    assert text.startswith('[gateway."irc.example.com".options]\n# Options of the sample backend.\n')
    assert 'mode = "fast"    # one of "fast", "slow"' in text
    assert "ports = [7]    # a list, each a whole number" in text


def test_the_default_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file(None) == Path("config.toml")
    assert find_file("x.toml") == Path("x.toml")
    (tmp_path / "config.toml").touch()
    assert find_file(None) == Path("config.toml")
