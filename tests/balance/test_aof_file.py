"""How far an append-only file can be used: whole commands, whole transactions, up to a second."""

from pathlib import Path

import pytest

from ocs.balance.aof_file import (
    AppendOnlyFileError,
    SoundPart,
    as_command,
    find_sound_part,
    read_base_second,
)

SET = as_command("SET", "k", "v")
MULTI, EXEC = as_command("MULTI"), as_command("EXEC")


def stamp(second: int) -> bytes:
    return b"#TS:%d\r\n" % second


STORY = stamp(10) + SET + SET + stamp(11) + MULTI + SET + SET + EXEC + stamp(15) + SET


@pytest.fixture
def write(tmp_path: Path):
    def _write(data: bytes) -> Path:
        path = tmp_path / "f.aof"
        path.write_bytes(data)
        return path

    return _write


def test_command_is_written_as_the_server_writes_it() -> None:
    assert SET == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"


def test_whole_file_is_sound(write) -> None:
    assert find_sound_part(write(STORY)) == SoundPart(len(STORY), 15, is_cut=False)


def test_empty_file_is_sound(write) -> None:
    assert find_sound_part(write(b"")) == SoundPart(0, 0, is_cut=False)


def test_file_cut_anywhere_is_sound_up_to_its_last_whole_transaction(write) -> None:
    transaction = STORY.index(MULTI)
    ends = {0, len(stamp(10)), len(stamp(10) + SET), len(stamp(10) + SET + SET), transaction}
    ends |= {STORY.index(EXEC) + len(EXEC), len(STORY) - len(SET), len(STORY)}
    for cut in range(len(STORY) + 1):
        part = find_sound_part(write(STORY[:cut]))
        assert part.octets == max(end for end in ends if end <= cut), cut
        assert part.is_cut == (cut not in ends)


@pytest.mark.parametrize(
    ("until_s", "ends_before", "last_s"),
    [(9, stamp(10), 0), (10, stamp(11), 10), (11, stamp(15), 11), (14, stamp(15), 11)],
)
def test_what_came_after_a_second_is_left_out(write, until_s: int, ends_before: bytes, last_s: int) -> None:
    part = find_sound_part(write(STORY), until_s=until_s)
    assert part == SoundPart(STORY.index(ends_before), last_s, is_cut=True)


@pytest.mark.parametrize("until_s", [15, 16, None])
def test_nothing_is_left_out_when_nothing_came_later(write, until_s: int | None) -> None:
    assert find_sound_part(write(STORY), until_s=until_s).octets == len(STORY)


def test_transaction_that_a_later_second_interrupts_is_left_out_whole(write) -> None:
    story = stamp(10) + SET + MULTI + SET + stamp(11) + SET + EXEC
    assert find_sound_part(write(story), until_s=10).octets == len(stamp(10) + SET)


def test_values_may_look_like_commands_and_times(write) -> None:
    story = as_command("SET", "k", "#TS:99\r\n*1\r\n$5\r\nMULTI\r\n") + SET
    assert find_sound_part(write(story), until_s=10) == SoundPart(len(story), 0, is_cut=False)


def test_other_annotations_say_nothing_of_time(write) -> None:
    story = b"#note\r\n" + SET
    assert find_sound_part(write(story), until_s=1) == SoundPart(len(story), 0, is_cut=False)


@pytest.mark.parametrize("damage", [b"x\r\n", b"*x\r\n", b"*1\r\n*3\r\nSET\r\n", b"*-1\r\n"])
def test_what_is_no_command_is_named_with_its_place(write, damage: bytes) -> None:
    with pytest.raises(AppendOnlyFileError, match=r"f\.aof: no command at octet \d+"):
        find_sound_part(write(SET + damage + SET))


# --- Snapshots ------------------------------------------------------------------------------------------------


def text(value: bytes) -> bytes:
    return bytes((len(value),)) + value


HEAD = b"VALKEY080\xfa" + text(b"valkey-ver") + text(b"9.1.0") + b"\xfa" + text(b"redis-bits") + b"\xc0\x40"


def test_snapshot_says_when_it_was_taken(write) -> None:
    made = HEAD + b"\xfa" + text(b"ctime") + b"\xc2" + (1_795_327_067).to_bytes(4, "little") + b"\xfe\x00"
    assert read_base_second(write(made)) == 1_795_327_067
    assert read_base_second(write(made.replace(b"VALKEY080", b"REDIS0011"))) == 1_795_327_067


def test_long_texts_in_a_snapshot_s_head_are_passed_over(write) -> None:
    long = b"\xfa" + text(b"note") + b"\x41\x00" + b"x" * 256 + b"\xfa" + text(b"ctime") + b"\xc1\x10\x00"
    assert read_base_second(write(HEAD + long)) == 16


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"", "no snapshot"),
        (SET, "no snapshot"),
        (HEAD, "does not say"),
        (HEAD + b"\xfe\x00", "does not say"),
        (HEAD + b"\xfa\x80\x00", "cannot be read"),
        (HEAD + b"\xfa", "cannot be read"),
    ],
)
def test_what_is_no_snapshot_is_named(write, octets: bytes, message: str) -> None:
    with pytest.raises(AppendOnlyFileError, match=message):
        read_base_second(write(octets))
