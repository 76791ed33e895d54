"""Commits as octets: whatever they are made of, hiredis would have packed their command into the same."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.balance.commit_packing import pack_commit
from ocs.balance.redis_commands import commit_command
from ocs.balance.redis_stream import pack_command
from ocs.balance.store import ABSENT, TOKEN_OCTETS, Commit, DeadlineChange, Write

tokens = st.binary(min_size=TOKEN_OCTETS, max_size=TOKEN_OCTETS)
texts = st.text(max_size=20) | st.sampled_from(["hole", "100%b", "{3}a:é", "a\r\n$1\r\nb"])
octets = st.binary(max_size=40) | st.sampled_from([b"", b"hole", b"%b%d%%", bytes(range(12)) + b"hole"])
changes = st.lists(st.builds(DeadlineChange, texts, st.none() | st.integers(0, 2**53)), max_size=2).map(tuple)


@st.composite
def commits(draw: st.DrawFn) -> Commit:
    keys = draw(st.lists(texts, min_size=1, max_size=10))
    written = draw(st.lists(st.integers(0, len(keys) - 1), max_size=10, unique=True))
    return Commit(
        draw(st.integers(0, 3)),
        tuple(keys),
        tuple(draw(tokens | st.just(ABSENT)) for _ in keys),
        draw(tokens | st.just(bytes(range(TOKEN_OCTETS)))),
        tuple(Write(index, draw(octets), draw(st.sampled_from([0, 0, 600_000]))) for index in written),
        tuple(draw(st.lists(octets, max_size=10))),
        draw(st.just(()) | changes),
        draw(st.none() | st.integers(0, 2**53)),
        draw(st.just("") | texts),
        draw(st.booleans()),
        draw(st.just(()) | changes),
    )


@given(st.lists(commits(), min_size=1, max_size=4))
def test_commit_is_packed_as_hiredis_packs_its_command(several: list[Commit]):
    for commit in several:
        assert pack_commit(commit) == pack_command(tuple(commit_command(commit)))


def test_commits_of_one_make_up_carry_each_their_own_values():
    first = Commit(1, ("a", "s"), (b"0" * 12, ABSENT), b"1" * 12, (Write(0, b"x"),), (b"e",), turn_key="t")
    second = Commit(1, ("b", "r"), (ABSENT, b"2" * 12), b"3" * 12, (Write(0, b"yy"),), (b"ff",), turn_key="u")
    for commit in (first, second, first):
        assert pack_commit(commit) == pack_command(tuple(commit_command(commit)))
