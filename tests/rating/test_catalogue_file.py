from pathlib import Path

import pytest

from ocs.messages import NO_CONTEXT, Service
from ocs.rating import CatalogueError, load_catalogue

HEADER = '[catalogue]\nname = "n"\ncurrency = "EUR"\ntime_zone = "UTC"\neffective = 2026-11-01\n'
QUOTA = """
[[quotas]]
id = "events"
unit = "events"
standard = true
default = 1
minimum = 1
maximum = 10
validity_time = 60
"""
OFFER = '[[offers]]\nid = "{id}"\n[[offers.prices]]\nid = "sms"\nservice = "sms"\nunit = "events"\namount = "0.09"\n'


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_files_of_a_folder_are_one_catalogue_however_they_are_divided(tmp_path: Path) -> None:
    for name in ("one", "many", "other_names"):
        (tmp_path / name).mkdir()
    one = write(tmp_path / "one", all=HEADER + QUOTA + OFFER.format(id="a") + OFFER.format(id="b"))
    many = write(
        tmp_path / "many", header=HEADER, quotas=QUOTA, a=OFFER.format(id="a"), b=OFFER.format(id="b")
    )
    other = write(tmp_path / "other_names", z=HEADER + QUOTA, a=OFFER.format(id="b"), b=OFFER.format(id="a"))
    versions = {load_catalogue(folder).version for folder in (one, many, other)}
    assert len(versions) == 1


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, all=HEADER + QUOTA + OFFER.format(id="a"))
    (tmp_path / "README.md").write_text("not TOML")
    rate = load_catalogue(tmp_path).rate(("a",), Service.SMS, None, (), NO_CONTEXT, 0)
    assert rate is not None
    assert rate.price_micro == 90_000


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({}, "{folder}: expected at least one *.toml file with offers, found none"),
        (
            {"a": QUOTA + OFFER.format(id="a")},
            "{folder}: catalogue: expected a [catalogue] table in one of the files",
        ),
        ({"a": HEADER, "b": HEADER}, "b.toml: catalogue: expected in one file only, a.toml has it too"),
        ({"a": HEADER + QUOTA}, "{folder}: offers: expected at least one offer"),
        ({"a": "offers ="}, "a.toml: expected TOML: "),
        ({"a": "offers = " + "[" * 5_000 + "]" * 5_000}, "a.toml: expected TOML: nested too deeply"),
        (
            {"a": HEADER + QUOTA + OFFER.format(id="x"), "b": OFFER.format(id="x")},
            "b.toml: offers[x].id: expected an id that no other entry has, a.toml has it too",
        ),
        (
            {"a": HEADER + QUOTA, "b": OFFER.format(id="x").replace("0.09", "9 ct")},
            (
                "b.toml: offers[x].prices[sms].amount: expected an amount of money such as '0.09' with six decimals at most,"
                " got '9 ct'"
            ),
        ),
        (
            {"a": HEADER + "colour = 1"},
            "a.toml: catalogue.colour: unknown key, expected one of name, currency, ",
        ),
        ({"a": 'tariffs = "x"'}, "a.toml: tariffs: unknown key, expected one of zones, networks, "),
        (
            {"a": '[[offers]]\nid = "x"\n[offers.final_unit]\naction = "terminate"\nhow = 1\n'},
            "a.toml: offers[x].final_unit.how: unknown key, expected one of action, redirect_address_type, ",
        ),
        (
            {"a": '[[periods]]\nid = "x"\nstart = "08:00"\n'},
            "a.toml: periods[x].start: unknown key, expected one of id, name, days, from, to",
        ),
        ({"a": "[[offers]]\n"}, "a.toml: offers[0]: object missing required field id"),
        (
            {"a": '[[offers]]\nid = "x"\npriority = "high"\n'},
            "a.toml: offers[x].priority: expected int, got str",
        ),
        (
            {"a": OFFER.format(id="x").replace('"0.09"', "0.09")},
            'a.toml: offers[x].prices[sms].amount: expected a text in quotes, such as "0.09", got the number 0.09',
        ),
        (
            {"a": OFFER.format(id="x").replace('"sms"\nunit', '"fax"\nunit')},
            "a.toml: offers[x].prices[sms].service: expected one of data, voice, sms, mms: Invalid enum value 'fax'",
        ),
        ({"a": "zones = 1"}, "a.toml: zones: expected array, got int"),
        ({"a": "zones = [1]"}, "a.toml: zones[0]: expected object, got int"),
        (
            {"a": "[[zones]]\nid = 7\n"},
            'a.toml: zones[0].id: expected a text in quotes, such as "7", got the number 7',
        ),
    ],
)
def test_each_mistake_is_one_line_naming_file_key_and_expectation(
    tmp_path: Path, files: dict[str, str], line: str
) -> None:
    write(tmp_path, **files)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(tmp_path)
    assert str(caught.value).startswith(line.format(folder=tmp_path)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CatalogueError, match="expected a folder with catalogue files: No such file or directory"
    ):
        load_catalogue(tmp_path / "nowhere")


def test_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogueError, match=r"a\.toml: expected TOML: "):
        load_catalogue(tmp_path)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(CatalogueError, match=r"a\.toml: expected a readable file: "):
        load_catalogue(tmp_path)
