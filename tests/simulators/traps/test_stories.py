"""Parts of which stories are made."""

from random import Random

from simulators.traps.notices import start
from simulators.traps.stories import Act, Clock, Story, disorder


def test_disorder_keeps_all_doubles_some_and_is_the_same_for_the_same_seed() -> None:
    clock = Clock("127.0.0.7")
    told = []
    for _ in range(100):
        told.append(clock.says(start()))
        clock.advance()
    mixed = disorder(told, Random(3), doubled=0.05)
    assert len(mixed) == 105
    assert set(mixed) == set(told)
    assert mixed[:100] != told
    assert mixed == disorder(told, Random(3), doubled=0.05)


def test_story_lasts_until_its_last_tick() -> None:
    clock = Clock("127.0.0.7")
    first = clock.says(start())
    clock.advance(41)
    story = Story("two", (Act("one", [first], []), Act("two", [clock.says(start())], [])), frozenset())
    assert (story.sendings, story.ticks) == (2, 42)
