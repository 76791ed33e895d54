"""Many elements in one process."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop, call_asyncio
from simulators.element.model import Model, load_model
from simulators.element.park import Park
from simulators.element.ssh import EXIT_STATUS
from tests.support.element_clients import FIRST, HOSTNAME, client, interface

ELEMENTS = 100


def test_a_hundred_elements_live_in_one_process_and_each_is_its_own(model: Model) -> None:
    with Park(model=model) as park:
        elements = [park.new_netconf(f"pe{number}", running=FIRST) for number in range(ELEMENTS)]
        park.start(elements)
        assert len({element.port for element in elements}) == ELEMENTS
        elements[7].change({HOSTNAME: "seven"})
        assert [one.name for one in elements if one.running()[HOSTNAME] == "seven"] == ["pe7"]
        with client(elements[7]) as session, client(elements[8]) as other:
            assert b"seven" in session.get_config("running").xml.encode()
            assert b"pe1" in other.get_config("running").xml.encode()


def test_elements_that_were_made_alike_share_their_configuration_in_memory(park: Park) -> None:
    one = park.new_netconf("a", running=FIRST)
    stores = one.operations.datastores
    assert stores.startup is stores.running
    assert stores.candidate is stores.running


def test_an_element_may_have_another_model_than_the_rest(park: Park) -> None:
    element = park.netconf("old", model=load_model(("ietf-system",)), running={HOSTNAME: "old"})
    with client(element) as session:
        assert not [one for one in session.server_capabilities if "ietf-interfaces" in one]
        with pytest.raises(Exception, match="no module has the namespace"):
            session.edit_config(target="candidate", config=interface("ge-0"))
        assert "old" in session.get().xml


async def test_elements_go_on_while_trio_waits(park: Park) -> None:
    element = park.netconf("pe1", running=FIRST)

    def talk() -> str:
        with client(element) as session:
            return session.get_config("running").xml

    with trio.fail_after(30):
        assert "pe1" in await trio.to_thread.run_sync(talk)


async def test_elements_live_beside_asyncio_that_runs_on_trio(model: Model) -> None:
    async def talk(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        greeting = await reader.readline()
        writer.close()
        return greeting

    with trio.fail_after(30):
        async with asyncio_loop():
            with Park(model=model) as park:
                assert b"SSH-2.0" in await call_asyncio(talk, park.netconf("pe1").port)


def test_a_bug_of_the_simulator_is_not_kept_quiet(model: Model) -> None:
    def broken() -> None:
        raise LookupError("a bug")

    with pytest.raises(LookupError), Park(model=model) as park:
        element = park.netconf("pe1")
        element.call(lambda: element._loop.call_soon(broken))
        element.call(lambda: None)


def test_a_process_that_dies_in_the_window_of_a_confirmed_commit_finds_it_undone(
    tmp_path: Path, model: Model
) -> None:
    script = """
import sys
from pathlib import Path
from tests.support.element_clients import FIRST, client, hostname
from simulators.element.faults import Fault, FaultKind
from simulators.element.park import Park
with Park(Path(sys.argv[1])) as park:
    element = park.netconf("pe1", running=FIRST)
    element.faults.add(Fault(kind=FaultKind.EXIT_AFTER, on="commit confirmed"))
    with client(element) as session:
        session.edit_config(target="candidate", config=hostname("new"))
        session.commit(confirmed=True, timeout="600", persist="t1")
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == EXIT_STATUS, done.stderr
    assert '"new"' in (tmp_path / "pe1.json").read_text()
    with Park(tmp_path, model) as park:
        assert park.netconf("pe1", running=FIRST).running()[HOSTNAME] == "pe1"
