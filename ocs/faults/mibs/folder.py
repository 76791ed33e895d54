"""The operator's own MIBs: one small file a module in a folder of the data folder."""

import os
import re
from pathlib import Path
from typing import Final

import msgspec

from ocs.faults.mibs.errors import MibError
from ocs.faults.mibs.model import MibModule
from ocs.faults.mibs.names import MibNames
from ocs.faults.mibs.standard import standard_modules
from ocs.limits import MIB_MODULES_MAX, MIB_TABLE_OCTETS_MAX

# RFC 2578 section 3.1: a module's name; as a file's name it leads nowhere else.
MODULE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_SUFFIX: Final = ".json"


def open_mib_names(folder: Path | None) -> MibNames:
    """Standard modules and the operator's own, which come first where both have one name.

    Args:
        folder: of the operator's modules; it need not exist. None for the standard ones alone.

    Raises:
        MibError: a file in it is not what :func:`save_module` wrote.
    """
    own = {} if folder is None else {module.name: module for module in own_modules(folder)}
    return MibNames([*(one for one in standard_modules() if one.name not in own), *own.values()])


def own_modules(folder: Path) -> tuple[MibModule, ...]:
    """All modules of a folder, by name.

    Raises:
        MibError: a file in it cannot be used.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise MibError(str(folder), 0, f"expected a folder of compiled MIBs: {error.strerror}") from None
    if len(paths) > MIB_MODULES_MAX:
        raise MibError(str(folder), 0, f"expected at most {MIB_MODULES_MAX} modules, found {len(paths)}")
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> MibModule:
    try:
        with path.open("rb") as file:
            content = file.read(MIB_TABLE_OCTETS_MAX + 1)
        if len(content) > MIB_TABLE_OCTETS_MAX:
            raise MibError(str(path), 0, f"expected at most {MIB_TABLE_OCTETS_MAX} octets")
        return msgspec.json.decode(content, type=MibModule)
    except OSError as error:
        raise MibError(str(path), 0, f"cannot read it: {error.strerror}") from None
    except msgspec.DecodeError:
        raise MibError(str(path), 0, "expected what `ocs faults mib add` writes: add the MIB again") from None


def save_module(folder: Path, module: MibModule) -> Path:
    """Keep a compiled module; it replaces one of the same name as a whole, whatever happens meanwhile.

    Raises:
        MibError: its name is none that a module may have.
    """
    if MODULE_NAME.fullmatch(module.name) is None:
        raise MibError("", 0, f"expected a module's name of letters, digits and hyphens, got {module.name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module.name}{_SUFFIX}"
    fresh = folder / f".{module.name}.new"
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(module), indent=1))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path
