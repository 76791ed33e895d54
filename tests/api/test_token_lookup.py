"""Tokens looked up by the batch: one reading for all who wait, nothing remembered, a failure shared."""

import threading

import pytest
import redis
import trio

from ocs.api.threads import ReaderUnavailableError
from ocs.api.token_lookup import TokenLookup
from ocs.api.tokens import Scope, make_token
from ocs.clock import ManualClock

pytestmark = pytest.mark.bounded(20)


@pytest.fixture
def lookup(tokens) -> TokenLookup:
    return TokenLookup(tokens, ManualClock(5))


def text_of(tokens, name: str = "crm", **arguments) -> tuple[str, str]:
    made, text = make_token(name, (str(Scope.BALANCE_READ),), now_ms=0, **arguments)
    tokens.add(made)
    return made.token_id, text


async def in_a_batch(lookup, token_hash, texts: list[str]) -> list:
    """What is found for texts that all come while an earlier reading is under way."""
    begun, let_go = trio.Event(), threading.Event()
    plain = token_hash.hmget
    entry = trio.lowlevel.current_trio_token()

    def held(key: str, fields: list[str]) -> list[bytes | None]:
        entry.run_sync_soon(begun.set)
        let_go.wait(10)
        return plain(key, fields)

    token_hash.hmget = held
    answers: dict[int, object] = {}

    async def find(number: int, text: str) -> None:
        try:
            found = await lookup.find(text)
        except ReaderUnavailableError as error:
            answers[number] = error
        else:
            answers[number] = None if found is None else found.name

    async with trio.open_nursery() as nursery:
        nursery.start_soon(find, -1, "ocs_aaaaaaaa_" + "x" * 43)
        await begun.wait()
        for number, text in enumerate(texts):
            nursery.start_soon(find, number, text)
        await trio.testing.wait_all_tasks_blocked()
        token_hash.hmget = plain
        let_go.set()
    return [answers[number] for number in range(len(texts))]


async def test_all_who_wait_are_answered_by_one_reading(lookup, tokens, token_hash):
    _, good = text_of(tokens)
    wrong = ["ocs_" + "abcdefgh"[:7] + letter + "_" + "x" * 43 for letter in "abcdefgh"]
    answers = await in_a_batch(lookup, token_hash, [*wrong, good, *wrong, good])
    assert answers == [None] * 8 + ["crm"] + [None] * 8 + ["crm"]
    assert [len(reading) for reading in token_hash.readings] == [1, 9]


async def test_what_is_no_token_is_not_looked_up(lookup, token_hash):
    for text in ("", "x", "ocs_aaaaaaaa_" + "x" * 42, "ocs_AAAAAAAA_" + "x" * 43, "ocs_äaaaaaaa_" + "x" * 43):
        assert await lookup.find(text) is None
    assert token_hash.readings == []


async def test_token_made_or_revoked_is_seen_at_once(lookup, tokens):
    token_id, text = text_of(tokens)
    assert await lookup.find(text) is not None
    tokens.revoke(token_id)
    assert await lookup.find(text) is None


async def test_token_that_is_over_is_none(lookup, tokens):
    assert await lookup.find(text_of(tokens, expires_ms=6)[1]) is not None
    assert await lookup.find(text_of(tokens, expires_ms=5)[1]) is None


async def test_right_id_with_another_secret_is_none(lookup, tokens):
    assert await lookup.find(text_of(tokens)[1][:13] + text_of(tokens)[1][13:]) is None


async def test_failure_of_the_store_is_told_to_all_who_wait_and_not_remembered(lookup, tokens, token_hash):
    _, good = text_of(tokens)
    plain, calls = tokens.some, []

    def broken(token_ids):
        calls.append(token_ids)
        if len(calls) == 2:
            raise redis.ConnectionError("gone")
        return plain(token_ids)

    tokens.some = broken
    answers = await in_a_batch(lookup, token_hash, [good] * 5)
    assert [type(answer) for answer in answers] == [ReaderUnavailableError] * 5
    assert len(calls) == 2
    assert await lookup.find(good) is not None


async def test_request_that_is_given_up_leaves_the_reading_to_the_next(lookup, tokens):
    _, good = text_of(tokens)
    with trio.CancelScope() as scope:
        scope.cancel()
        await lookup.find(good)
    assert scope.cancelled_caught
    assert await lookup.find(good) is not None
