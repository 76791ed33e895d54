from ocs.rating import CatalogueError
from ocs.rating.errors import ExpectationError


def test_catalogue_error_is_one_line_of_file_key_and_expectation() -> None:
    error = CatalogueError("lab.toml", "offers[a].prices[b].amount", "expected an amount")
    assert str(error) == "lab.toml: offers[a].prices[b].amount: expected an amount"
    assert (error.file, error.key, error.expectation) == (
        "lab.toml",
        "offers[a].prices[b].amount",
        "expected an amount",
    )


def test_catalogue_error_of_a_whole_file_has_no_key() -> None:
    assert str(CatalogueError("lab.toml", "", "expected TOML")) == "lab.toml: expected TOML"


def test_expectation_is_seen_from_the_entry_around_it() -> None:
    inner = ExpectationError("amount", "expected an amount")
    assert inner.within("prices[b]").within("offers[a]").key == "offers[a].prices[b].amount"
    assert ExpectationError("", "expected at least one").within("offers[a]").key == "offers[a]"
