"""The gateways' sessions: begun, spoken for, denied, silent, and come back."""

from collections.abc import Callable
from itertools import count

from ocs.balance.model import SessionState
from tests.simulation.gateways import Caller
from tests.simulation.network import Network
from tests.simulation.operators import Operators
from tests.simulation.scene import Scene

CALLERS_MAX = 8


class Crowd:
    """Everybody who uses a service over Diameter.

    Args:
        expire: has a worker close a session that is gone, by account and Session-Id.
    """

    def __init__(
        self,
        scene: Scene,
        network: Network,
        operators: Operators,
        expire: Callable[[str, str], None],
    ) -> None:
        self._random = scene.random
        self._clock = scene.clock
        self._auditor = scene.auditor
        self._note = scene.note
        self._network = network
        self._operators = operators
        self._expire = expire
        self._callers: list[Caller] = []
        self._silent: list[Caller] = []
        self._names = count(1)
        self._numbers = count(1)

    def leave(self) -> None:
        """Nobody is there any more."""
        self._callers, self._silent = [], []

    def is_in_use(self, identity: str) -> bool:
        """Whether a number is just opening something, at a gateway or on the way."""
        callers = (*self._callers, *self._silent)
        return self._network.may_open_something(identity) or any(
            caller.may_open_something(identity) for caller in callers
        )

    def begin(self) -> None:
        if len(self._callers) < CALLERS_MAX:
            gateway = f"gw{self._random.randint(1, 3)}"
            moved = self._operators.moved
            identity = self._random.choice(
                moved if moved and self._random.random() < 0.3 else list(self._operators.owners)
            )
            self._callers.append(
                Caller(
                    self._random, f"{gateway}.example", f"{gateway};{next(self._names)}", identity,
                    self._clock.now_ms() // 1000, self._numbers,
                )
            )  # fmt: skip

    def speak(self) -> None:
        callers = [caller for caller in self._callers if not caller.is_over]
        if callers:
            self._network.say(self._random.choice(callers))
        self._callers = callers

    def speak_all(self) -> None:
        for caller in self._callers:
            if not caller.is_over:
                self._network.say(caller)

    def vanish(self) -> None:
        if self._callers:
            caller = self._callers.pop(self._random.randrange(len(self._callers)))
            self._note("vanishes", caller.session_id)
            self._silent.append(caller)

    def deny(self) -> None:
        """A gateway that is asked to come again has no such session: it is closed at once (RFC 8506 section 5.5)."""
        if self._callers:
            caller = self._callers.pop(self._random.randrange(len(self._callers)))
            session = self._auditor.history.values.session(caller.session_id)
            if session is not None and session.state == SessionState.OPEN:
                self._note("is denied:", caller.session_id)
                self._auditor.evidence.gone.add(session.session_id)
                self._expire(session.account_id, session.session_id)

    def come_again(self, session_id: str) -> bool:
        """Its gateway is asked to come again; whether it knows the session (RFC 8506 section 5.5)."""
        caller = self._known(session_id)
        if caller is not None and caller in self._callers:
            caller.is_asked_again = True
            self._network.say(caller)
        return caller is not None

    def end(self, session_id: str) -> bool:
        """Its gateway is asked to end a session; whether it knows it (RFC 6733 section 8.5)."""
        caller = self._known(session_id)
        if caller is not None and caller in self._callers:
            caller.must_end = True
            self._network.say(caller)
        return caller is not None

    def _known(self, session_id: str) -> Caller | None:
        """A gateway's session, if it has not ended there; one that is silent is known and says nothing."""
        callers = (*self._callers, *self._silent)
        return next((each for each in callers if each.session_id == session_id and not each.is_over), None)

    def speak_late(self) -> None:
        silent = [caller for caller in self._silent if not caller.is_over]
        if silent:
            caller = self._random.choice(silent)
            self._note("comes back", caller.session_id)
            self._network.say(caller)
