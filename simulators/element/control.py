"""Commands to the elements of a running process: one JSON object a line over a Unix socket, one line back."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self, cast

from simulators.element.cli_config import LineError
from simulators.element.cli_element import CliElement
from simulators.element.faults import Fault, FaultKind
from simulators.element.model import LeafError
from simulators.element.netconf_element import NetconfElement
from simulators.element.network_element import NetworkElement
from simulators.element.park import Park
from simulators.element.tree import PathError

_LINE_BYTES_MAX: Final = 1_000_000
_ANSWER_S: Final = 30.0
_FAULT_FIELDS: Final = frozenset(field.name for field in fields(Fault))


class ControlError(Exception):
    """A command cannot be done; says why."""


class Control:
    """Takes commands while its context is open."""

    def __init__(self, park: Park, path: Path) -> None:
        self._park = park
        self._path = path
        control = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in iter(lambda: self.rfile.readline(_LINE_BYTES_MAX), b""):
                    self.wfile.write(json.dumps(control.answer(line)).encode() + b"\n")

        path.unlink(missing_ok=True)
        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_ANSWER_S)
        self._path.unlink(missing_ok=True)

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a line asks for; ``{"ok": ...}`` or ``{"error": ...}``."""
        try:
            order = json.loads(line)
            if not isinstance(order, dict):
                raise ControlError("a command is an object")
            return {"ok": self._perform(cast("dict[str, Any]", order))}
        except (ControlError, PathError, LeafError, LineError, ValueError, TypeError) as error:
            return {"error": str(error) or type(error).__name__}

    def _perform(self, order: dict[str, Any]) -> Any:
        do = order.pop("do", "")
        if do == "list":
            return {
                name: {"address": one.address, "port": one.port, "host_key": one.host_key}
                for name, one in self._park.elements.items()
            }
        name = order.pop("element", "")
        element = self._park.elements.get(name)
        if element is None:
            raise ControlError(f"no element {name!r}")
        actions = {**_common(element), **_own(element)}
        if do not in actions:
            raise ControlError(f"{name} cannot {do!r}; it can: list, {', '.join(sorted(actions))}")
        return actions[do](**order)


def _common(element: NetworkElement) -> dict[str, Callable[..., Any]]:
    return {
        "fault": _adder(element),
        "clear": element.faults.clear,
        "steps": lambda: list(element.faults.steps),
        "start": element.start,
        "stop": element.stop,
        "restart": element.restart,
        "drop": element.drop_connections,
        "host-key": element.change_host_key,
    }


def _adder(element: NetworkElement) -> Callable[..., None]:
    def add(**given: Any) -> None:
        element.faults.add(fault_of(given))

    return add


def _setter(element: NetworkElement, attribute: str) -> Callable[[float], None]:
    def set_it(seconds: float) -> None:
        setattr(element, attribute, float(seconds))

    return set_it


def _own(element: NetworkElement) -> dict[str, Callable[..., Any]]:
    if isinstance(element, NetconfElement):
        return {
            "running": element.running,
            "candidate": element.candidate,
            "startup": element.startup,
            "change": element.change,
            "state": element.set_state,
            "dirty": element.dirty_candidate,
            "lock": element.hold_lock,
            "unlock": element.release_lock,
            "locks": element.locks,
            "expire": element.expire_confirmed_commit,
            "sessions": element.sessions,
            "skew": _setter(element, "clock_skew_s"),
        }
    if isinstance(element, CliElement):
        return {
            "running": element.running,
            "startup": element.startup,
            "change": element.change,
            "lock": element.hold_lock,
            "unlock": element.release_lock,
            "expire": element.expire_confirmed_commit,
            "echo": _setter(element, "echo_delay_s"),
        }
    return {}


def fault_of(given: dict[str, Any]) -> Fault:
    """A fault by its fields.

    Raises:
        ControlError: a field is unknown or no kind is named.
    """
    unknown = given.keys() - _FAULT_FIELDS
    if unknown:
        raise ControlError(f"a fault has no {', '.join(sorted(unknown))}")
    try:
        kind = FaultKind(given.get("kind", ""))
    except ValueError:
        kinds = ", ".join(one.value for one in FaultKind)
        raise ControlError(f"kind is one of: {kinds}") from None
    rest: dict[str, Any] = {name: value for name, value in given.items() if name != "kind"}
    return Fault(kind=kind, **rest)


def tell(path: Path, order: str) -> dict[str, Any]:
    """Send a command to the elements of a running process.

    Returns:
        Its answer.

    Raises:
        OSError: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(_ANSWER_S)
        link.connect(str(path))
        link.sendall(" ".join(order.split()).encode() + b"\n")
        link.shutdown(socket.SHUT_WR)
        return json.loads(link.makefile("rb").read())
