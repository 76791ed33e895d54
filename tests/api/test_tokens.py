"""Tokens: made once, kept as a hash, found by constant-time comparison."""

import pytest

from ocs.api.tokens import Scope, Token, TokenError, TokenStore, is_good, make_token, split_token
from ocs.limits import TOKENS_MAX

BALANCE = (str(Scope.BALANCE_READ),)


def found(tokens: TokenStore, text: str, *, now_ms: int) -> Token | None:
    """The good token behind a text."""
    token_id, secret = split_token(text) or ("", "")
    token = tokens.some([token_id]).get(token_id)
    return token if token is not None and is_good(token, secret, now_ms=now_ms) else None


def test_token_is_found_by_its_text(tokens: TokenStore):
    made, text = make_token("crm", BALANCE, now_ms=1)
    tokens.add(made)
    assert found(tokens, text, now_ms=2) == made
    assert made.scopes == BALANCE


def test_store_never_has_the_secret(tokens: TokenStore):
    made, text = make_token("crm", BALANCE, now_ms=1)
    secret = text.rpartition("_")[2] if "_" not in text[13:] else text[13:]
    assert len(text) == 4 + 8 + 1 + 43
    assert secret.encode() not in b"".join([made.digest, *tokens._redis.fields.values()])


def test_two_tokens_differ():
    assert make_token("crm", BALANCE, now_ms=1)[1] != make_token("crm", BALANCE, now_ms=1)[1]


def test_wrong_secret_id_or_shape_is_none(tokens: TokenStore):
    made, text = make_token("crm", BALANCE, now_ms=1)
    tokens.add(made)
    other = make_token("crm", BALANCE, now_ms=1)[1]
    mixed = text[:13] + other[13:]
    for wrong in (mixed, other, text + "x", text[:-1], "", "ocs_", text.upper(), f" {text}"):
        assert found(tokens, wrong, now_ms=2) is None


def test_token_is_over_when_its_time_is(tokens: TokenStore):
    made, text = make_token("crm", BALANCE, now_ms=1, expires_ms=10)
    tokens.add(made)
    assert found(tokens, text, now_ms=9) is not None
    assert found(tokens, text, now_ms=10) is None


def test_revoked_token_is_none(tokens: TokenStore):
    made, text = make_token("crm", BALANCE, now_ms=1)
    tokens.add(made)
    assert tokens.revoke(made.token_id)
    assert not tokens.revoke(made.token_id)
    assert found(tokens, text, now_ms=2) is None


def test_tokens_are_listed_by_name(tokens: TokenStore):
    for name in ("b", "a", "c"):
        tokens.add(make_token(name, BALANCE, now_ms=1)[0])
    assert [token.name for token in tokens.all()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("", BALANCE), ("x" * 65, BALANCE), ("a\nb", BALANCE), ("a", ()), ("a", ("balance:*",))],
)
def test_malformed_token_is_refused(name: str, scopes: tuple[str, ...]):
    with pytest.raises(TokenError):
        make_token(name, scopes, now_ms=1)


def test_tokens_have_a_bound(tokens: TokenStore):
    for _ in range(TOKENS_MAX):
        tokens.add(make_token("a", BALANCE, now_ms=1)[0])
    with pytest.raises(TokenError, match="revoke"):
        tokens.add(make_token("a", BALANCE, now_ms=1)[0])
