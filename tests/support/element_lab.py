"""A data folder whose inventory has simulated elements, a configuration that reaches them, and commands on both."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ocs import cli
from ocs.inventory.elements import add_elements
from ocs.inventory.model import ElementRecord, Kind, Resource
from ocs.migrations import upgrade_schema
from ocs.provisioning.element import Element
from ocs.settings import Settings
from ocs.sql import Database, database_url
from simulators.element.network_element import NetworkElement
from tests.support.elements import ROOT

# Arguments -> exit status, standard output, standard error.
Run = Callable[..., tuple[int, str, str]]


class ElementLab:
    """One data folder; elements stand in the inventory with a role each, of the type `netconf` unless said otherwise."""

    def __init__(
        self, folder: Path, elements: Mapping[NetworkElement, str], types: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = folder / "data"
        self.data_dir.mkdir()
        (folder / "password").write_text("admin")
        (folder / "password").chmod(0o600)
        network = ROOT / "config" / "network"
        self.config = folder / "ocs.toml"
        self.config.write_text(
            f'[provisioning]\ntypes = "{network / "types"}"\nyang = "{network / "yang"}"\n'
            '[[provisioning.credentials]]\nname = "lab"\nuser = "admin"\npassword_file = "password"\n'
        )
        self.database = Database(database_url(Settings(), self.data_dir))
        upgrade_schema(self.database)
        records = [
            ElementRecord(
                resource=Resource(resource_id=one.name, kind=Kind.ELEMENT),
                management=Element(
                    name=one.name,
                    type_name=(types or {}).get(one.name, "netconf"),
                    address=one.address,
                    port=one.port,
                    credential="lab",
                    host_key=one.host_key,
                ),
                role=role,
            )
            for one, role in elements.items()
        ]
        self.database.write_blocking(lambda connection: add_elements(connection, records))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def runner(self, capsys: pytest.CaptureFixture[str]) -> Run:
        """Runs `ocs` in this process, on this folder."""

        def run(*arguments: str) -> tuple[int, str, str]:
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.main([*arguments, "--config", str(self.config), "--data-dir", str(self.data_dir)])
            printed = capsys.readouterr()
            code = ended.value.code
            return (code if isinstance(code, int) else 1), printed.out, printed.err

        return run
