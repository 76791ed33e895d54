"""Ways to elements, for tests: the types and YANG modules that are shipped, one credential."""

from pathlib import Path

from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.element_type import load_element_types
from ocs.provisioning.schema.schema import Schema
from ocs.provisioning.schema.yang import load_schema
from ocs.provisioning.sessions import Sessions

ROOT = Path(__file__).resolve().parent.parent.parent
YANG = ROOT / "config" / "network" / "yang"
TYPES = ROOT / "config" / "network" / "types"


def standard_schema() -> Schema:
    """The modules of the type `netconf`."""
    description = load_element_types(TYPES)["netconf"].netconf
    assert description is not None
    return load_schema([YANG], description.modules)


def lab_sessions(credential: Credential, secrets: Secrets | None = None) -> Sessions:
    """Sessions with elements of all shipped types, whose credential is named `lab`."""
    return Sessions(
        load_element_types(TYPES),
        {"lab": credential},
        secrets or Secrets({}),
        yang_folders=[YANG],
        chance=lambda: 0.5,
    )


def interface(name: str) -> str:
    """The path of an interface."""
    return f"/ietf-interfaces:interfaces/interface[name='{name}']"


def ethernet(name: str, description: str = "") -> dict[str, str | None]:
    """The configuration of an interface."""
    path = interface(name)
    configuration: dict[str, str | None] = {path: None, f"{path}/type": "iana-if-type:ethernetCsmacd"}
    if description:
        configuration[f"{path}/description"] = description
    return configuration
