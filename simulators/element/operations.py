"""The operations of a NETCONF server on its datastores (RFC 6241 section 7 and its capabilities). Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from simulators.element.datastores import CONFIRM_TIMEOUT_S, Datastores
from simulators.element.edits import BASE, edited
from simulators.element.errors import ConditionError, Dialect, RpcError
from simulators.element.messages import MONITORING, NOTIFICATION, Request, rpc_error
from simulators.element.model import Tree
from simulators.element.selection import DEFAULT_MODES, in_mode, merged, selected, tag_defaults
from simulators.element.state import own_state
from simulators.element.tree import Element, write_xml

_WITH_DEFAULTS: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"
_NMDA: Final = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"
_OPERATIONAL: Final = "operational"
_TIMEOUT_S_MAX: Final = 4_294_967_295


@dataclass
class Client:
    """A session as operations see it.

    Attributes:
        subscription: names of events that it asked for; empty: all; None: it has not asked.
    """

    session_id: int
    user: str
    host: str
    login: datetime
    subscription: frozenset[str] | None = None


@dataclass
class Outcome:
    """What an operation comes to.

    Attributes:
        body: of the reply; empty says ok. killed: session to end. closes: this session ends after the reply.
    """

    body: list[Element] = field(default_factory=list[Element])
    killed: int = 0
    closes: bool = False


class Operations:
    """Performs requests of all sessions of one element, one at a time.

    Attributes:
        state: what ``get`` tells beside the configuration; tests and stories put it there.
        clients: open sessions by id.
    """

    def __init__(self, datastores: Datastores, dialect: Dialect, now: Callable[[], float]) -> None:
        self.datastores = datastores
        self.dialect = dialect
        self.state: Tree = {}
        self.clients: dict[int, Client] = {}
        self._now = now
        self._model = datastores.model
        self._profile = datastores.profile
        self._methods: dict[tuple[str, str], Callable[[Client, Element], Outcome]] = {
            (BASE, "get"): self._get,
            (BASE, "get-config"): self._get_config,
            (BASE, "edit-config"): self._edit_config,
            (BASE, "copy-config"): self._copy_config,
            (BASE, "delete-config"): self._delete_config,
            (BASE, "lock"): self._lock,
            (BASE, "unlock"): self._unlock,
            (BASE, "close-session"): self._close_session,
            (BASE, "kill-session"): self._kill_session,
            (MONITORING, "get-schema"): self._get_schema,
        }
        if self._profile.candidate:
            self._methods |= {(BASE, "commit"): self._commit, (BASE, "discard-changes"): self._discard}
        if self._profile.confirmed == "1.1":
            self._methods[BASE, "cancel-commit"] = self._cancel
        if self._profile.validate:
            self._methods[BASE, "validate"] = self._validate
        if self._profile.notifications:
            self._methods[NOTIFICATION, "create-subscription"] = self._subscribe
        if self._profile.nmda:
            self._methods |= {(_NMDA, "get-data"): self._get_data, (_NMDA, "edit-data"): self._edit_data}

    def perform(self, client: Client, request: Request) -> Outcome:
        """Do what a request asks for, or tell in the reply why not."""
        name = etree.QName(request.operation)
        method = self._methods.get((name.namespace or "", name.localname))
        try:
            if method is None:
                raise RpcError(
                    "operation-not-supported", f"{name.localname} is unknown", error_type="protocol"
                )
            if (
                client.subscription is not None
                and not self._profile.interleave
                and name.localname != "close-session"
            ):
                raise RpcError("operation-not-supported", "no interleave: this session is for notifications")
            return method(client, request.operation)
        except ConditionError as error:
            return self.refusal(error.in_words_of(self.dialect))
        except RpcError as error:
            return self.refusal(error)

    def refusal(self, error: RpcError) -> Outcome:
        """An error as the outcome."""
        return Outcome([rpc_error(self._model, error)])

    # --- reading -------------------------------------------------------------------------------------------------

    def _get(self, client: Client, xml: Element) -> Outcome:
        del client
        filter_ = xml.find(f"{{{BASE}}}filter")
        return self._data(BASE, xml, filter_, self.datastores.running, self._state())

    def _get_config(self, client: Client, xml: Element) -> Outcome:
        del client
        filter_ = xml.find(f"{{{BASE}}}filter")
        return self._data(BASE, xml, filter_, self.datastores.read(_datastore(xml, "source")), {})

    def _get_data(self, client: Client, xml: Element) -> Outcome:
        """RFC 8526 section 3.1, without its filters of origin, depth and XPath."""
        del client
        for unknown in ("xpath-filter", "origin-filter", "negated-origin-filter", "max-depth", "with-origin"):
            if xml.find(f"{{{_NMDA}}}{unknown}") is not None:
                raise RpcError("operation-not-supported", unknown, error_type="protocol")
        name = _identity(xml)
        wanted = _text(xml, f"{{{_NMDA}}}config-filter")
        is_operational = name == _OPERATIONAL
        # What is operational here is what runs and the state: nothing is missing to apply it with.
        configuration = self.datastores.running if is_operational else self.datastores.read(name)
        state = self._state() if is_operational and wanted != "true" else {}
        filter_ = xml.find(f"{{{_NMDA}}}subtree-filter")
        return self._data(_NMDA, xml, filter_, {} if wanted == "false" else configuration, state)

    def _state(self) -> Tree:
        sessions = ((one.session_id, one.user, one.host, one.login) for one in self.clients.values())
        stores = self.datastores
        own = own_state(self._model, self._profile, stores.names(), sessions, stores.locks)
        return merged(self._model.root, own, self.state)

    def _data(
        self, namespace: str, xml: Element, filter_: Element | None, configuration: Tree, state: Tree
    ) -> Outcome:
        mode_element = xml.find(f"{{{namespace if namespace == _NMDA else _WITH_DEFAULTS}}}with-defaults")
        mode = DEFAULT_MODES[0] if mode_element is None else (mode_element.text or "").strip()
        if mode not in DEFAULT_MODES or (mode_element is not None and not self._profile.with_defaults):
            raise RpcError("invalid-value", f"with-defaults {mode!r}", error_type="protocol")
        tree = merged(self._model.root, in_mode(self._model, configuration, mode), state)
        if filter_ is not None:
            if filter_.get("type", "subtree") != "subtree":
                raise RpcError(
                    "operation-not-supported", "filters are of type subtree", error_type="protocol"
                )
            tree = selected(self._model, tree, filter_)
        data = etree.Element(f"{{{namespace}}}data", nsmap={None: namespace})
        write_xml(self._model, tree, data)
        if mode == "report-all-tagged":
            tag_defaults(self._model, data)
        return Outcome([data])

    def _get_schema(self, client: Client, xml: Element) -> Outcome:
        del client
        name = _text(xml, f"{{{MONITORING}}}identifier")
        version = _text(xml, f"{{{MONITORING}}}version")
        wanted = (_text(xml, f"{{{MONITORING}}}format") or "yang").rpartition(":")[2]
        path = self._model.sources.get(name)
        if path is None or wanted != "yang" or version not in {"", self._model.revisions[name]}:
            raise RpcError("invalid-value", f"no schema {name} {version} {wanted}")
        data = etree.Element(f"{{{MONITORING}}}data", nsmap={None: MONITORING})
        data.text = path.read_text(encoding="utf-8")
        return Outcome([data])

    # --- changing ------------------------------------------------------------------------------------------------

    def _edit_config(self, client: Client, xml: Element) -> Outcome:
        target = _datastore(xml, "target")
        config = xml.find(f"{{{BASE}}}config")
        if config is None:
            raise RpcError("missing-element", info={"bad-element": "config"}, error_type="protocol")
        test = _text(xml, f"{{{BASE}}}test-option") or "set"
        if test not in {"set", "test-then-set", "test-only"}:
            raise RpcError("bad-element", f"test-option {test!r}", info={"bad-element": "test-option"})
        on_error = _text(xml, f"{{{BASE}}}error-option")
        if on_error == "rollback-on-error" and not self._profile.rollback_on_error:
            raise RpcError("operation-not-supported", "rollback-on-error", error_type="protocol")
        default = _text(xml, f"{{{BASE}}}default-operation") or "merge"

        def change(tree: Tree) -> Tree:
            after = edited(self._model, tree, config, default)
            if test != "set":
                self.datastores.check(after)
            return tree if test == "test-only" else after

        self.datastores.edit(client.session_id, target, change)
        return Outcome()

    def _edit_data(self, client: Client, xml: Element) -> Outcome:
        """RFC 8526 section 3.2."""
        config = xml.find(f"{{{_NMDA}}}config")
        if config is None:
            raise RpcError("missing-element", info={"bad-element": "config"}, error_type="protocol")
        default = _text(xml, f"{{{_NMDA}}}default-operation") or "merge"
        name = _identity(xml)
        if name == _OPERATIONAL:
            raise RpcError("invalid-value", "operational is not written", error_type="protocol")
        self.datastores.edit(client.session_id, name, lambda tree: edited(self._model, tree, config, default))
        return Outcome()

    def _copy_config(self, client: Client, xml: Element) -> Outcome:
        target = _datastore(xml, "target")
        self.datastores.copy(client.session_id, self._source(xml), target)
        return Outcome()

    def _source(self, xml: Element) -> Tree:
        """The tree that an element ``source`` names or holds."""
        inline = xml.find(f"{{{BASE}}}source/{{{BASE}}}config")
        if inline is not None:
            return edited(self._model, {}, inline)
        return self.datastores.read(_datastore(xml, "source"))

    def _delete_config(self, client: Client, xml: Element) -> Outcome:
        self.datastores.delete(client.session_id, _datastore(xml, "target"))
        return Outcome()

    def _validate(self, client: Client, xml: Element) -> Outcome:
        del client
        self.datastores.check(self._source(xml))
        return Outcome()

    def _commit(self, client: Client, xml: Element) -> Outcome:
        persist_id = xml.findtext(f"{{{BASE}}}persist-id")
        persist = xml.findtext(f"{{{BASE}}}persist")
        confirmed = xml.find(f"{{{BASE}}}confirmed") is not None
        if (confirmed and not self._profile.confirmed) or (
            (persist_id is not None or persist is not None) and self._profile.confirmed != "1.1"
        ):
            raise RpcError("unknown-element", "the element cannot do that", error_type="protocol")
        if not confirmed:
            self.datastores.commit(client.session_id, persist_id)
            return Outcome()
        text = _text(xml, f"{{{BASE}}}confirm-timeout") or str(CONFIRM_TIMEOUT_S)
        if not text.isdecimal() or not 1 <= int(text) <= _TIMEOUT_S_MAX:
            raise RpcError("invalid-value", f"confirm-timeout {text!r}", error_type="protocol")
        self.datastores.commit_confirmed(
            client.session_id,
            timeout_s=int(text),
            persist=persist or "",
            persist_id=persist_id,
            now=self._now(),
        )
        return Outcome()

    def _cancel(self, client: Client, xml: Element) -> Outcome:
        self.datastores.cancel(client.session_id, xml.findtext(f"{{{BASE}}}persist-id"))
        return Outcome()

    def _discard(self, client: Client, xml: Element) -> Outcome:
        del xml
        self.datastores.discard(client.session_id)
        return Outcome()

    # --- locks and sessions --------------------------------------------------------------------------------------

    def _lock(self, client: Client, xml: Element) -> Outcome:
        self.datastores.lock(client.session_id, _datastore(xml, "target"))
        return Outcome()

    def _unlock(self, client: Client, xml: Element) -> Outcome:
        self.datastores.unlock(client.session_id, _datastore(xml, "target"))
        return Outcome()

    def _close_session(self, client: Client, xml: Element) -> Outcome:
        del client, xml
        return Outcome(closes=True)

    def _kill_session(self, client: Client, xml: Element) -> Outcome:
        text = _text(xml, f"{{{BASE}}}session-id")
        if not text.isdecimal() or int(text) == client.session_id or int(text) not in self.clients:
            raise RpcError("invalid-value", f"no other session {text!r}", error_type="protocol")
        return Outcome(killed=int(text))

    def _subscribe(self, client: Client, xml: Element) -> Outcome:
        if client.subscription is not None:
            raise RpcError("in-use", "there is a subscription already", error_type="protocol")
        stream = _text(xml, f"{{{NOTIFICATION}}}stream") or "NETCONF"
        if stream != "NETCONF":
            raise RpcError("invalid-value", f"no stream {stream!r}", error_type="protocol")
        if xml.find(f"{{{NOTIFICATION}}}startTime") is not None:
            raise RpcError("operation-failed", "nothing is kept for replay", error_type="protocol")
        # In the namespace of RFC 5277; clients are seen that write the one of get's filter.
        filters = [one for one in xml if etree.QName(one).localname == "filter"]
        names = [etree.QName(one).localname for filter_ in filters for one in filter_]
        client.subscription = frozenset(names)
        return Outcome()


def _text(xml: Element, tag: str) -> str:
    return (xml.findtext(tag) or "").strip()


def _identity(xml: Element) -> str:
    """The datastore that a request of NMDA names, without the prefix of ietf-datastores."""
    return _text(xml, f"{{{_NMDA}}}datastore").rpartition(":")[2]


def _datastore(xml: Element, parameter: str) -> str:
    """The datastore that a parameter names.

    Raises:
        RpcError: it names none.
    """
    holder = xml.find(f"{{{BASE}}}{parameter}")
    children = [] if holder is None else [one for one in holder if isinstance(one.tag, str)]
    if len(children) != 1:
        raise RpcError("missing-element", info={"bad-element": parameter}, error_type="protocol")
    return etree.QName(children[0]).localname
