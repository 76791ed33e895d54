"""Configuration: what is accepted, and the one line a user sees for what is not (settings_file, settings_checks)."""

from pathlib import Path

import msgspec
import pytest
import trustme

from ocs.secret_file import SecretFileError, read_secret_file
from ocs.settings import Settings, resolve_path
from ocs.settings_file import SettingsError, load_settings, restore_settings, snapshot_settings

LAB = Path(__file__).parent.parent / "config" / "ocs.toml"


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "ocs.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def refusal(path: Path | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ or {})
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_lab_file_holds_every_key_with_its_default():
    settings = load_settings(LAB, {})
    assert settings.directory == LAB.parent
    expected = msgspec.structs.replace(
        Settings(), directory=LAB.parent, store=msgspec.structs.replace(Settings().store, data_dir="../data")
    )
    assert settings == expected
    text = LAB.read_text(encoding="utf-8")
    for section in msgspec.structs.fields(Settings):
        if section.name != "directory":
            for key in msgspec.structs.fields(section.type):
                assert f"\n{key.name} = " in text or f"\n[[{section.name}.{key.name}]]" in text, key.name


def test_no_file_means_the_defaults_in_the_current_folder():
    assert load_settings(None, {}).directory == Path.cwd()


def test_integer_key_with_text_names_file_key_and_range(write):
    path = write('[diameter]\nport = "abc"\n')
    assert refusal(path) == f'{path}: diameter.port: expected an integer from 0 to 65535, got "abc"'


def test_port_out_of_range_is_refused(write):
    path = write("[http]\nport = 65536\n")
    assert refusal(path) == f"{path}: http.port: expected an integer from 0 to 65535, got 65536"


def test_number_key_takes_an_integer_and_refuses_what_is_too_small(write):
    assert load_settings(write("[diameter]\nwatchdog_interval_s = 6\n"), {}).diameter.watchdog_interval_s == 6
    assert "expected a number from 6 to 600, got 5.0" in refusal(
        write("[diameter]\nwatchdog_interval_s = 5\n")
    )


def test_unknown_key_is_refused_with_the_nearest_known_one(write):
    path = write("[diameter]\norigin_hots = 'x'\n")
    assert refusal(path) == f"{path}: diameter.origin_hots: unknown key; did you mean 'origin_host'?"


def test_unknown_section_is_refused_with_the_nearest_known_one(write):
    assert "diametre: unknown key; did you mean 'diameter'?" in refusal(write("[diametre]\nport = 1\n"))


def test_unknown_key_in_a_peer_is_refused_with_its_place(write):
    line = refusal(write("[[diameter.peers]]\norigin_host = 'a.b'\nrealm = 'b'\n"))
    assert line.endswith("diameter.peers[0].realm: unknown key; did you mean 'origin_realm'?")


def test_peer_without_origin_host_is_refused(write):
    assert "origin_host: this key is required here" in refusal(
        write("[[diameter.peers]]\norigin_realm = 'b'\n")
    )


def test_directory_is_no_key_of_the_file(write):
    assert "directory: unknown key" in refusal(write("directory = '/'\n"))


def test_choice_names_what_can_be_chosen(write):
    line = refusal(write("[store]\ndurability = 'disk'\n"))
    assert 'store.durability: expected one of fsync, memory, replicated, got "disk"' in line


def test_section_that_is_no_table_is_refused(write):
    assert "diameter: expected a table, got 5" in refusal(
        write("diameter = 5\n"), {"OCS_DIAMETER__PORT": "0"}
    )


def test_broken_toml_is_one_line_with_the_place(write):
    assert "not valid TOML:" in refusal(write("[diameter\n"))


def test_missing_file_is_one_line(tmp_path):
    assert refusal(tmp_path / "none.toml").endswith(
        "cannot read the configuration: No such file or directory"
    )


def test_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "ocs.toml").write_bytes(b"\xff")
    assert "expected UTF-8 text" in refusal(tmp_path / "ocs.toml")


# --- Environment -------------------------------------------------------------------------------------------------


def test_environment_comes_before_the_file(write):
    path = write("[diameter]\nport = 3868\n[store]\ndurability = 'fsync'\n")
    environ = {
        "OCS_DIAMETER__PORT": "0",
        "OCS_STORE__DURABILITY": "memory",
        "OCS_LOG__MASK_IDENTITIES": "true",
    }
    settings = load_settings(path, environ)
    assert (settings.diameter.port, settings.store.durability, settings.log.mask_identities) == (
        0,
        "memory",
        True,
    )


@pytest.mark.parametrize("text", ['[{origin_host = "a.example"}]', '[{"origin_host": "a.example"}]'])
def test_environment_takes_lists_as_toml_or_json(text):
    assert load_settings(None, {"OCS_DIAMETER__PEERS": text}).diameter.peers[0].origin_host == "a.example"


def test_environment_takes_texts_as_they_are():
    assert load_settings(None, {"OCS_DIAMETER__PRODUCT_NAME": "007"}).diameter.product_name == "007"


def test_bad_value_of_a_variable_names_the_variable():
    assert refusal(None, {"OCS_DIAMETER__PORT": "abc"}) == (
        'OCS_DIAMETER__PORT: expected an integer from 0 to 65535, got "abc"'
    )
    assert refusal(None, {"OCS_DIAMETER__PORT": "70000"}).startswith(
        "OCS_DIAMETER__PORT: expected an integer"
    )
    assert refusal(None, {"OCS_DIAMETER__HOSTS": "::1"}).startswith(
        "OCS_DIAMETER__HOSTS: expected a list such as"
    )
    assert refusal(None, {"OCS_DIAMETER__PEERS": '[{origin_host = "a b"}]'}).startswith(
        "OCS_DIAMETER__PEERS:"
    )


def test_unknown_variable_with_a_section_is_refused():
    assert refusal(None, {"OCS_DIAMETER__PROT": "1"}) == (
        "OCS_DIAMETER__PROT: unknown key diameter.prot; did you mean 'port'?"
    )
    assert refusal(None, {"OCS_STOR__URL": "x"}).startswith("OCS_STOR__URL: unknown section 'stor'")
    assert refusal(None, {"OCS_DIRECTORY__X": "x"}).startswith("OCS_DIRECTORY__X: unknown section")


def test_variable_without_a_section_is_not_ours():
    load_settings(None, {"OCS_HOME": "/x", "PATH": "/bin", "XOCS_A__B": "1"})


# --- Meaning -----------------------------------------------------------------------------------------------------


def test_wildcard_peer_is_refused_beyond_loopback():
    line = refusal(None, {"OCS_DIAMETER__HOST": "0.0.0.0"})
    assert line.endswith(
        'diameter.peers[0].origin_host: "*" lets every peer in, which is allowed on loopback only,'
        " and 0.0.0.0 is listened on: name each peer"
    )
    assert "10.0.0.1" in refusal(None, {"OCS_DIAMETER__HOSTS": '["::1", "10.0.0.1"]'})


def test_named_peers_may_connect_from_anywhere():
    environ = {"OCS_DIAMETER__HOST": "::", "OCS_DIAMETER__PEERS": '[{origin_host = "pgw.example"}]'}
    assert load_settings(None, environ).diameter.host == "::"


@pytest.mark.parametrize(
    ("variable", "value", "expectation"),
    [
        ("OCS_DIAMETER__ORIGIN_HOST", "bad host", "expected a DiameterIdentity"),
        ("OCS_DIAMETER__ORIGIN_HOST", "", "expected a DiameterIdentity"),
        ("OCS_DIAMETER__ORIGIN_REALM", "a..b", "expected a DiameterIdentity"),
        ("OCS_DIAMETER__PRODUCT_NAME", "", "not empty"),
        ("OCS_DIAMETER__HOST", "", "expected an IP address or a host name"),
        ("OCS_DIAMETER__PEERS", "[]", "at least one peer"),
        ("OCS_DIAMETER__PEERS", '[{origin_host = "a", origin_realm = "b c"}]', "expected a DiameterIdentity"),
        ("OCS_DIAMETER__TLS_CERTIFICATE_FILE", "c.pem", "TLS needs the certificate and its key"),
        ("OCS_DIAMETER__TLS_KEY_FILE", "c.pem", "TLS needs the certificate and its key"),
        ("OCS_DIAMETER__TLS_CLIENT_CA_FILE", "c.pem", "required because"),
        ("OCS_DIAMETER__TLS_CLIENT_CRL_FILE", "c.pem", "diameter.tls_client_ca_file: required because"),
        ("OCS_DIAMETER__PEERS", '[{origin_host = "a", tls = true}]', "there is no TLS port"),
        ("OCS_DIAMETER__DESTINATION_HOSTS", '["ocs.example", "a b"]', "expected a DiameterIdentity"),
        ("OCS_DIAMETER__DESTINATION_REALMS", '[" example"]', "expected a DiameterIdentity"),
        ("OCS_STORE__PARTITIONS", "48", "expected a power of two from 1 to 1024, got 48"),
        ("OCS_STORE__PARTITIONS", "2048", "expected an integer from 1 to 1024"),
        ("OCS_STORE__DATA_DIR", "", "expected a folder"),
        ("OCS_STORE__DURABILITY", "replicated", "the embedded store has no replicas"),
        ("OCS_STORE__REPLICATION_TIMEOUT_S", "3.0", "expected a number from 0.01 to 2, got 3"),
        ("OCS_STORE__TLS_KEY_FILE", "k.pem", "required because store.tls_key_file is set"),
        ("OCS_STORE__URL", "http://x", "expected an address that begins with redis"),
        ("OCS_STORE__URL", "redis://", "expected redis://HOST:PORT/0"),
        ("OCS_STORE__URL", "redis://h:99999", "a host or port is none"),
        ("OCS_STORE__URL", "redis+sentinel://h", "what the Sentinels call the primary"),
        ("OCS_STORE__PASSWORD_FILE", "/nonexistent/secret", "needs store.url"),
        ("OCS_CHARGING__WORKERS", "0", "expected an integer from 1 to 64, got 0"),
        ("OCS_CATALOGUE__PATH", "", "expected the folder with the offers"),
        ("OCS_SQL__URL", "mysql://h/d", "sqlite or postgresql"),
        ("OCS_HTTP__HOST", "a b", "expected an IP address"),
        ("OCS_HTTP__HUB_CALLBACKS", '["http://h/path"]', "expected an origin"),
        ("OCS_HTTP__HUB_CALLBACKS", '["https://a.example", "ftp://h"]', "expected an origin"),
        ("OCS_HTTP__HUB_CALLBACKS", '["http://127.0.0.1:99999"]', "expected an origin"),
    ],
)
def test_value_that_cannot_work_is_refused(variable: str, value: str, expectation: str):
    assert expectation in refusal(None, {variable: value})


def test_password_in_the_written_store_url_is_refused_and_not_repeated(write):
    line = refusal(write("[store]\nurl = 'redis://:hunter2@h/0'\n"))
    assert "store.password_file" in line
    assert "hunter2" not in line


def test_password_in_a_store_url_of_the_environment_is_taken(write):
    url = "redis+cluster://ann:hunter2@h:1,h:2"
    written = write("[store]\nurl = 'redis://h'\n")
    assert load_settings(written, {"OCS_STORE__URL": url}).store.url == url


@pytest.mark.parametrize(
    ("lines", "expectation"),
    [
        ("password_file = 'secret'", "store.password_file: needs store.url"),
        ("tls_ca_file = 'ca.pem'", "store.tls_ca_file: needs store.url"),
        ("url = 'redis://h'\ntls_ca_file = 'ca.pem'", "store.tls_ca_file: TLS needs an address"),
        (
            "url = 'redis://h'\nsentinel_password_file = 's'",
            "store.sentinel_password_file: needs redis+sentinel",
        ),
        ("url = 'rediss://h'\ntls_ca_file = 'none.pem'", "store.tls_ca_file: cannot read"),
        ("url = 'redis://h'\npassword_file = 'none'", "cannot read this secret"),
        ("url = 'redis+sentinel://h/m'\nsentinel_password_file = 'none'", "store.sentinel_password_file:"),
    ],
)
def test_store_file_that_cannot_be_used_is_named(write, lines: str, expectation: str):
    assert expectation in refusal(write(f"[store]\n{lines}\n"))


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://h:6380/1",
        "unix:///run/s.sock",
        "valkey://h",
        "valkeys://h",
        "redis+sentinel://h:1,h:2/main",
        "rediss+sentinel://h/main",
        "redis+cluster://h:1,[::1]:2",
    ],
)
def test_store_urls_of_every_scheme_are_accepted(url: str):
    assert load_settings(None, {"OCS_STORE__URL": url}).store.url == url


def test_tls_files_are_found_beside_the_configuration(write, tmp_path: Path):
    authority = trustme.CA()
    certificate = authority.issue_cert("ocs.lab.example")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "ocs.pem")
    path = write("[diameter]\ntls_certificate_file = 'ocs.pem'\ntls_key_file = 'ocs.pem'\n")
    settings = load_settings(path, {})
    assert resolve_path(settings, settings.diameter.tls_key_file) == tmp_path / "ocs.pem"
    line = refusal(path, {"OCS_DIAMETER__TLS_KEY_FILE": "gone.pem"})
    assert line.startswith("OCS_DIAMETER__TLS_KEY_FILE: cannot read")
    lists = {"OCS_DIAMETER__TLS_CLIENT_CA_FILE": "ocs.pem", "OCS_DIAMETER__TLS_CLIENT_CRL_FILE": "gone.pem"}
    assert refusal(path, lists).startswith("OCS_DIAMETER__TLS_CLIENT_CRL_FILE: cannot read")
    line = refusal(path, {"OCS_DIAMETER__TLS_PORT": "3868"})
    assert "expected another port" in line


# --- Secrets -----------------------------------------------------------------------------------------------------


def test_secret_loses_only_its_newline(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text(" s3cret \r\n")
    path.chmod(0o640)
    assert read_secret_file(path) == " s3cret "


def test_secret_that_everybody_can_read_is_refused_with_the_remedy(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text("s3cret")
    path.chmod(0o644)
    with pytest.raises(SecretFileError, match="chmod o-r"):
        read_secret_file(path)


def test_empty_secret_is_refused(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text("\n")
    path.chmod(0o600)
    with pytest.raises(SecretFileError, match="empty"):
        read_secret_file(path)


# --- What a child is given ---------------------------------------------------------------------------------------


def test_child_runs_with_what_its_parent_had_read_whatever_the_file_says_by_then(write, tmp_path: Path):
    path = write(
        '[diameter]\nwatchdog_interval_s = 7.0\nhosts = ["::1"]\n'
        '[[diameter.peers]]\norigin_host = "pgw.example"\ntls = false\n[log]\nlevel = "debug"\n'
    )
    settings = load_settings(path, {"OCS_CHARGING__WORKERS": "3"})
    snapshot = snapshot_settings(settings)
    path.write_text("[half")
    assert restore_settings(snapshot, {}) == settings
    assert restore_settings(snapshot, {}).directory == tmp_path
    changed = restore_settings(snapshot, {"OCS_HTTP__PORT": "99", "OCS_STORE__URL": "redis://h:1"})
    assert (changed.http.port, changed.store.url) == (99, "redis://h:1")


def test_snapshot_holds_no_password():
    environ = {"OCS_STORE__URL": "redis://:hush@h:1", "OCS_SQL__URL": "postgresql://u:hush@h/db"}
    settings = load_settings(None, environ)
    snapshot = snapshot_settings(settings)
    assert b"hush" not in snapshot
    assert restore_settings(snapshot, environ) == settings


@pytest.mark.parametrize("snapshot", [b"", b"{", b"[]", b"5", b"{}", b'{"directory": 5}'])
def test_snapshot_that_cannot_be_read_is_one_line(snapshot: bytes):
    with pytest.raises(
        SettingsError, match=r"^the settings of the process that started this one: they are not"
    ):
        restore_settings(snapshot, {})


def test_snapshot_of_another_release_names_its_key():
    with pytest.raises(SettingsError, match=r"started this one: diameter\.colour: unknown key"):
        restore_settings(b'{"directory": ".", "diameter": {"colour": 1}}', {})


# --- RADIUS ------------------------------------------------------------------------------------------------------


def radius(
    tmp_path: Path, client: str = "", ports: str = "auth_port = 0\nacct_port = 0", secret: str = "s" * 16
):
    """A configuration with one client, whose keys may be given otherwise."""
    file = tmp_path / "radius.secret"
    file.write_text(secret)
    file.chmod(0o600)
    keys = {"name": '"campus"', "address": '"10.1.0.0/16"', "secret_file": '"radius.secret"'}
    keys.update(line.split(" = ") for line in client.splitlines())  # type: ignore[arg-type]
    entry = "\n".join(f"{name} = {value}" for name, value in keys.items())
    return f"[radius]\n{ports}\n[[radius.clients]]\n{entry}\n"


def test_radius_is_off_unless_its_ports_are_set():
    assert Settings().radius.auth_port == Settings().radius.acct_port == -1


def test_a_radius_client_is_accepted(write, tmp_path: Path):
    (client,) = load_settings(write(radius(tmp_path, "rating_group = 10")), {}).radius.clients
    assert (client.name, client.coa_port, client.rating_group) == ("campus", 3799, 10)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ('name = "a;b"', "radius.clients[0].name: expected letters"),
        ('address = "campus.example"', "radius.clients[0].address: expected an IP address or a network"),
        ('address = "10.1.0.1/16"', "radius.clients[0].address: expected an IP address or a network"),
        ("coa_port = 65536", "radius.clients[0].coa_port: expected an integer from 0 to 65535"),
        ('secret_file = "missing"', "radius.clients[0].secret_file:"),
        ('secret = "in here"', "radius.clients[0].secret: unknown key; did you mean 'secret_file'?"),
    ],
)
def test_a_radius_client_that_cannot_be_is_refused(write, tmp_path: Path, client: str, expected: str):
    assert expected in refusal(write(radius(tmp_path, client)))


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("auth_port = 0", "radius.acct_port: authorisation and accounting are served together"),
        ("acct_port = 0", "radius.auth_port: authorisation and accounting are served together"),
        ("auth_port = 1812\nacct_port = 1812", "radius.acct_port: expected another port"),
        ("auth_port = 65536\nacct_port = 0", "radius.auth_port: expected an integer from -1 to 65535"),
    ],
)
def test_radius_ports_that_cannot_be_are_refused(write, tmp_path: Path, ports: str, expected: str):
    assert expected in refusal(write(radius(tmp_path, ports=ports)))


def test_a_short_radius_secret_is_refused(write, tmp_path: Path):
    assert "fewer than 16 characters" in refusal(write(radius(tmp_path, secret="short")))


def test_radius_without_clients_or_with_two_of_one_name_is_refused(write, tmp_path: Path):
    assert "at least one client" in refusal(write("[radius]\nauth_port = 0\nacct_port = 0\n"))
    twice = radius(tmp_path) + "[[radius.clients]]" + radius(tmp_path).partition("[[radius.clients]]")[2]
    assert "radius.clients[1].name" in refusal(write(twice))


# --- SNMP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ('trusted_proxies = ["10.1"]', r"snmp.trusted_proxies\[0\]: expected an IP address or a network"),
        ('engine_id = "80"', "snmp.engine_id: expected 5 to 32 octets in hexadecimal"),
        ("port = -2", "snmp.port: expected an integer from -1 to 65535"),
        ('users = [{name = ""}]', r"snmp.users\[0\].name: expected 1 to 32 octets"),
        ('users = [{name = "a"}, {name = "a"}]', r"snmp.users\[1\].name: expected .* that no other user has"),
        ('users = [{name = "a", privacy = "des", privacy_file = "x"}]', "privacy needs it too"),
        ('users = [{name = "a", authentication = "md5"}]', r"authentication_file: goes with authentication"),
        ('users = [{name = "a", authentication = "sha2"}]', "one of md5, none"),
        ('communities_file = "nowhere"', "snmp.communities_file: .*cannot read this secret"),
    ],
)
def test_snmp_keys_that_cannot_work_are_refused(write, lines: str, wanted: str):
    with pytest.raises(SettingsError, match=wanted):
        load_settings(write(f"[snmp]\n{lines}\n"), {})


def test_snmp_password_has_eight_characters(write, tmp_path: Path):
    (tmp_path / "short").write_text("seven77\n")
    (tmp_path / "short").chmod(0o600)
    user = 'users = [{name = "a", authentication = "sha256", authentication_file = "short"}]'
    with pytest.raises(SettingsError, match="fewer than 8 characters"):
        load_settings(write(f"[snmp]\n{user}\n"), {})


def test_folder_that_was_named_for_alarms_must_be_there(write) -> None:
    with pytest.raises(SettingsError, match=r"faults\.topology: expected a folder, and .*/network is none"):
        load_settings(write('[faults]\ntopology = "network"\n'), {})
    assert load_settings(write(""), {}).faults.topology == "topology"


# --- Provisioning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ('credentials = [{name = "", user = "a", agent = true}]', r"credentials\[0\].name: expected 1 to 32"),
        (
            'credentials = [{name = "a", user = "", agent = true}]',
            r"credentials\[0\].user: expected who we are",
        ),
        ('credentials = [{name = "a", user = "b"}]', "exactly one of password_file, key_file and agent"),
        (
            'credentials = [{name = "a", user = "b", agent = true, key_passphrase_file = "x"}]',
            "no key_file that it could open",
        ),
        ('credentials = [{name = "a", user = "b", password_file = "nowhere"}]', "cannot read this secret"),
        ("confirm_timeout_s = 5", "provisioning.confirm_timeout_s: expected an integer from 30 to 3600"),
        ("sessions_max = -1", "provisioning.sessions_max: expected an integer from 0 to 4096"),
    ],
)
def test_provisioning_keys_that_cannot_work_are_refused(write, lines: str, wanted: str):
    with pytest.raises(SettingsError, match=wanted):
        load_settings(write(f"[provisioning]\n{lines}\n"), {})
