"""The values that a store holds, as its commits tell: each under its token, each until its time is over."""

from collections import defaultdict
from typing import NamedTuple

from ocs.balance.model import (
    Account,
    Session,
    SessionState,
    Subscriber,
    decode_account,
    decode_session,
    decode_subscriber,
)
from ocs.balance.store import ABSENT, Commit
from tests.support.books import AuditError, check
from tests.support.evidence import Evidence

# How far clocks of stores, and a worker's idea of them, may be off before it counts as an error.
CLOCK_SLACK_MS = 15_000


class Changed(NamedTuple):
    """What one commit has written; what stood there before it, None for nothing."""

    accounts: list[Account]
    subscribers: list[tuple[Subscriber | None, Subscriber]]
    sessions: list[tuple[Session | None, Session]]


class Values:
    """Accounts, subscribers and sessions by their keys, as they stand."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.tokens: dict[str, bytes] = {}
        self.used_tokens: set[bytes] = set()
        self.accounts: dict[str, Account] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.sessions: dict[str, Session] = {}
        self.deadlines: set[str] = set()
        self.expires_ms: dict[str, int] = {}
        self._keys_of: dict[str, set[str]] = defaultdict(set)

    def take(self, commit: Commit, at_ms: int) -> Changed:
        """Carry a commit out."""
        self._check_tokens(commit, at_ms)
        changed = Changed([], [], [])
        for write in commit.writes:
            key = commit.keys[write.index]
            self.expires_ms.pop(key, None)
            if write.ttl_ms:
                self.expires_ms[key] = at_ms + write.ttl_ms
            match key[key.index("}") + 1]:
                case "a":
                    account = self.accounts[key] = decode_account(write.content)
                    changed.accounts.append(account)
                case "u":
                    subscriber = decode_subscriber(write.content)
                    changed.subscribers.append((self.subscribers.get(key), subscriber))
                    self.subscribers[key] = subscriber
                case "s":
                    session = decode_session(write.content)
                    check(
                        session.state != SessionState.OPEN or not write.ttl_ms,
                        "open session with a time to live",
                    )
                    changed.sessions.append((self.sessions.get(key), session))
                    self.sessions[key] = session
                    self._keys_of[session.session_id].add(key)
                case _:  # a receipt
                    pass
        for change in commit.deadlines:
            (self.deadlines.discard if change.score_ms is None else self.deadlines.add)(change.member)
        return changed

    def _check_tokens(self, commit: Commit, at_ms: int) -> None:
        """What was read still stood, and what is written has a name of its own."""
        for key, expected in zip(commit.keys, commit.expected, strict=True):
            stands = self.tokens.get(key, ABSENT)
            may_be_gone = self.expires_ms.get(key, at_ms + 1_000_000) <= at_ms + CLOCK_SLACK_MS
            check(
                expected == stands or (may_be_gone and expected == ABSENT),
                "committed on a stale", key, "read", expected, "stands", stands,
            )  # fmt: skip
        if commit.writes:
            check(commit.token not in self.used_tokens, "token used twice", commit.token)
            check(
                self._evidence.commits.setdefault(commit.token, commit) == commit,
                "a token of two contents", commit.token,
            )  # fmt: skip
            self.used_tokens.add(commit.token)
        for write in commit.writes:
            self.tokens[commit.keys[write.index]] = commit.token

    def account(self, account_id: str) -> Account:
        """An account as it stands."""
        for account in self.accounts.values():
            if account.account_id == account_id:
                return account
        raise AuditError(f"no account {account_id}")

    def session(self, session_id: str) -> Session | None:
        """A session, remembered or not."""
        return next((self.sessions[key] for key in sorted(self._keys_of.get(session_id, ()))), None)

    def is_stored(self, session_id: str, at_ms: int) -> bool:
        """Whether the store surely has the session: open, or as a memory whose time has not come."""
        later_ms = at_ms + CLOCK_SLACK_MS
        return any(
            self.expires_ms.get(key, later_ms + 1) > later_ms for key in self._keys_of.get(session_id, ())
        )

    def subscriber_of(self, session: Session) -> Subscriber | None:
        """Whose a session is."""
        return next(
            (
                s for s in self.subscribers.values()
                if s.subscriber_id == session.subscriber_id and s.account_id == session.account_id
            ),
            None,
        )  # fmt: skip
