"""A voucher's digits: slips are found, and the store learns nothing of them."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.subscribers.voucher_codes import CODE_DIGITS, check_digit, digest_of, draw_code, read_code

numbers = st.integers(min_value=0, max_value=10 ** (CODE_DIGITS - 1) - 1)


@given(numbers)
def test_drawn_code_is_read_as_it_is_printed(number: int):
    code = draw_code(lambda _: number)
    assert len(code) == CODE_DIGITS
    assert read_code(code) == code
    assert read_code(" ".join(code[at : at + 4] for at in range(0, CODE_DIGITS, 4))) == code
    assert read_code("-".join(code[at : at + 4] for at in range(0, CODE_DIGITS, 4))) == code


@given(numbers, st.integers(0, CODE_DIGITS - 1), st.integers(1, 9))
def test_one_wrong_digit_is_found(number: int, place: int, by: int):
    code = draw_code(lambda _: number)
    wrong = str((int(code[place]) + by) % 10)
    assert read_code(code[:place] + wrong + code[place + 1 :]) is None


@given(numbers, st.integers(0, CODE_DIGITS - 2))
def test_two_neighbours_swapped_are_found(number: int, place: int):
    code = draw_code(lambda _: number)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or read_code(swapped) is None


def test_check_digit_is_that_of_the_published_example():
    assert check_digit("572") == "4"


def test_draw_uses_the_whole_range():
    asked: list[int] = []

    def draw(below: int) -> int:
        asked.append(below)
        return below - 1

    assert draw_code(draw).startswith("9" * 15)
    assert asked == [10**15]


def test_what_is_no_code_is_not_read():
    for text in ("", "1234", "x" * 16, "\N{ARABIC-INDIC DIGIT ONE}" * 16, draw_code(lambda _: 7) + "0"):
        assert read_code(text) is None


def test_digest_depends_on_the_secret():
    assert digest_of("1", "a") != digest_of("1", "b")
    assert "1234567890123456" not in digest_of("1234567890123456", "a")
