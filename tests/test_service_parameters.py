"""What kinds of services are told, by words and described."""

from collections.abc import Mapping

import msgspec
import pytest

from ocs.provision_commands import read_parameters
from ocs.provisioning_setup import MODELS
from ocs.service_parameters import described, said_parameters
from ocs.settings_file import SettingsError


@pytest.mark.parametrize(
    ("texts", "servers"),
    [
        (["ntp_servers=a"], ["a"]),
        (["ntp_servers=a", "ntp_servers=b"], ["a", "b"]),
        (['ntp_servers=["a","b"]'], ["a", "b"]),
        (['ntp_servers=["a"]', "ntp_servers=b"], ["a", "b"]),
        (["ntp_servers="], []),
    ],
    ids=["one word", "word by word", "JSON", "both", "none"],
)
def test_list_is_said_in_words_or_as_json(texts: list[str], servers: list[str]) -> None:
    assert said_parameters("baseline", texts) == {"ntp_servers": servers}


@pytest.mark.parametrize("texts", [["element"], ["=x"], ["element=a", "element=b"]])
def test_parameter_that_is_none_or_said_twice_is_refused(texts: list[str]) -> None:
    with pytest.raises(SettingsError, match="--set"):
        said_parameters("baseline", texts)


def test_parameters_of_an_unknown_model_stay_as_they_are_said() -> None:
    assert said_parameters("nothing", ["a=1", 'b={"c": 2}', "d=[x"]) == {"a": "1", "b": {"c": 2}, "d": "[x"}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_parameter_is_described_and_its_example_is_accepted(model: str) -> None:
    told = list(described(MODELS[model].parameters_type))
    assert [one.name for one in told] == list(MODELS[model].parameters_type.__struct_encode_fields__)
    assert all(one.about and one.form and one.example for one in told)
    examples: Mapping[str, object] = said_parameters(model, [f"{one.name}={one.example}" for one in told])
    assert read_parameters(model, dict(examples)).keys() == examples.keys()


def test_descriptions_are_told_apart_by_the_names_that_begin_sentences() -> None:
    class Parameters(msgspec.Struct):
        """What is ordered.

        Attributes:
            a, ab: shared; 0: none.
                More of it. b: whose
                a: is no heading.
        """

        a: int
        ab: int
        b: bool = False

    a, ab, b = described(Parameters)
    assert a.about == ab.about == "shared; 0: none. More of it."
    assert (b.about, b.form, b.default, b.is_needed) == (
        "whose a: is no heading.",
        "true or false",
        "false",
        False,
    )
