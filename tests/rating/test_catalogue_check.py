"""A catalogue with mistakes is told all of them at once, each with file, line and key, and none that is not its own.

The shapes of tables, the places of keys, and stand_ins for what is wrong are tested on the way.
"""

import random
from pathlib import Path

import pytest

from ocs.rating import CatalogueError, catalogue_check, load_catalogue
from ocs.rating.catalogue_check import check_catalogue

HEADER = """\
[catalogue]
name = "test"
currency = "EUR"
time_zone = "Europe/Berlin"
effective = 2026-11-01

[[quotas]]
id = "octets"
unit = "octets"
standard = true
default = 1000
minimum = 10
maximum = 10000
validity_time = 600

[[zones]]
id = "home"
prefixes = ["49"]
"""
OFFER = """\
[[offers]]
id = "basic"

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.01"

[[offers.prices]]
id = "local"
service = "data"
unit = "octets"
zones = ["home"]
"""


def told(**files: str) -> list[str]:
    return [str(finding) for finding in check_catalogue(files).errors]


def test_catalogue_without_a_mistake_is_compiled() -> None:
    check = check_catalogue({"a.toml": HEADER, "b.toml": OFFER})
    assert check.errors == ()
    assert check.catalogue is not None
    assert check.catalogue.version.startswith("2026-11-01.")


def test_delivered_catalogue_is_the_one_that_is_loaded(shipped) -> None:
    folder = Path(__file__).resolve().parents[2] / "config" / "catalogue"
    check = check_catalogue({path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.toml")})
    assert check.errors == ()
    assert check.catalogue is not None
    assert check.catalogue.to_bytes() == shipped.to_bytes()


def test_every_mistake_is_told_with_its_line_in_one_look() -> None:
    offer = (
        OFFER.replace('amount = "0.01"', 'amount = "0,01"\namont = "3"')
        .replace('zones = ["home"]', 'zones = ["hom"]\nrounding = "7"')
        .replace(
            '[[offers.prices]]\nid = "local"',
            '[[offers.prices]]\nid = "lost"\n\n[[offers.prices]]\nid = "local"',
        )
    )
    header = HEADER.replace('"EUR"', '"EURO"').replace(
        "default = 1000", "default = 1000\nvolume_threshold = 1000"
    )
    assert told(a=header, b=offer) == [
        "a:3: catalogue.currency: expected an ISO 4217 code such as EUR, got 'EURO'",
        "a:12: quotas[octets].volume_threshold: expected less than default, or the gateway asks again at once",
        *[line for line in told(a=HEADER, b=offer) if line.startswith("b:8:") and "six decimals" in line],
        *[line for line in told(a=HEADER, b=offer) if line.startswith("b:9:") and "unknown key" in line],
        "b:11: offers[basic].prices[lost]: object missing required field service",
        "b:11: offers[basic].prices[lost]: object missing required field unit",
        "b:18: offers[basic].prices[local].zones: expected an existing zone (home), got 'hom'",
        "b:19: offers[basic].prices[local].rounding: expected two blocks such as '60/1' or '10 KiB/10 KiB', got '7'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('service = "data"', 'service = "date"', "b:6: offers[basic].prices[data].service: expected one of data, "),
        ('unit = "octets"', "unit = 3", "b:7: offers[basic].prices[data].unit: expected one of octets, "),
        ('amount = "0.01"', "amount = 0.01", 'b:8: offers[basic].prices[data].amount: expected a text in quotes, such as "0.01", got'),
        ('id = "basic"', 'id = "Basic"', "b:2: offers[Basic].id: expected lower-case letters"),
        ('id = "local"', 'id = "data"', "b:11: offers[basic].prices[data].id: expected an id that no other entry has"),
        ('zones = ["home"]', "zones = []", "b:10: offers[basic].prices[local]: expected no use to which data applies too"),
        ('id = "basic"', "id =", "b:2: expected TOML: Invalid value"),
        ('id = "basic"', 'id = "basic"\nfinal_unit = { action = "redirect" }', "b:5: offers[basic].prices[data].final_unit"),
    ],
)  # fmt: skip
def test_mistake_is_found_where_it_stands(old: str, new: str, expected: str) -> None:
    lines = told(a=HEADER, b=OFFER.replace(old, new, 1))
    assert any(line.startswith(expected) for line in lines), lines


@pytest.mark.parametrize(
    "deep", ["x = " + "[" * 5_000 + "]" * 5_000, "x = " + "{a = " * 5_000 + "1" + "}" * 5_000]
)
def test_file_nested_too_deeply_is_told_like_any_mistake(deep: str) -> None:
    assert any("nested too deeply" in line for line in told(a=HEADER, b=OFFER, c=deep))


def test_what_is_wrong_only_because_of_another_mistake_is_not_told() -> None:
    header = HEADER.replace('prefixes = ["49"]', 'prefixes = ["+49"]').replace(
        "default = 1000", 'default = "x"'
    )
    assert [line.partition(" ")[0] for line in told(a=header, b=OFFER)] == ["a:11:", "a:18:"]


def test_entry_with_one_mistake_is_looked_at_for_others() -> None:
    offer = """\
[[offers]]
id = "basic"
opening_balance = 1.99
credit_limit = "-"

[[offers.charges]]
id = "month"
kind = "recuring"
amount = 9.99
period = "moth"

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = 0.01
per = "1 MX"
rounding = "1"
zones = ["hom", "home", "hem"]
periods = ["night"]
connection_fee = "x"
colour = 1

[[offers.prices]]
id = "voice"
service = "voise"
unit = "second"
amount = "abc"
networks = ["home"]
"""
    keys = [
        line.split(": ")[0] + " " + line.split(": ")[1].rpartition(".")[2] for line in told(a=HEADER, b=offer)
    ]
    assert keys == [
        "b:3 opening_balance", "b:4 credit_limit", "b:8 kind", "b:9 amount", "b:10 period", "b:16 amount", "b:17 per",
        "b:18 rounding", "b:19 zones", "b:19 zones", "b:20 periods", "b:21 connection_fee", "b:22 colour",
        "b:24 quota", "b:26 service", "b:27 unit", "b:28 amount", "b:29 networks",
    ]  # fmt: skip


def test_number_in_place_of_an_amount_is_told_how_it_is_written() -> None:
    (line,) = told(a=HEADER, b=OFFER.replace('"0.01"', "1.99"))
    assert line.endswith('amount: expected a text in quotes, such as "1.99", got the number 1.99')


def test_quota_that_is_missing_is_one_mistake_however_many_prices_need_it() -> None:
    calls = "".join(
        f'[[offers.prices]]\nid = "v{n}"\nservice = "voice"\nunit = "seconds"\nrating_groups = [{n}]\n'
        for n in range(3)
    )
    assert len(told(a=HEADER, b=OFFER + calls)) == 1


def test_offer_whose_only_price_is_wrong_is_not_called_empty() -> None:
    alone = OFFER[: OFFER.index('[[offers.prices]]\nid = "local"')].replace('"0.01"', '"-1"')
    assert len(told(a=HEADER, b=alone)) == 1


def test_second_header_and_a_missing_one_are_told() -> None:
    assert "b:1: catalogue: expected in one file only, a has it too" in told(a=HEADER, b=HEADER + OFFER)
    assert told(b=OFFER)[0] == "catalogue: expected a [catalogue] table in one of the files"


def test_id_of_another_file_is_told_once_with_the_other_file() -> None:
    assert told(a=HEADER, b=OFFER, c=OFFER) == [
        "c:2: offers[basic].id: expected an id that no other entry has, b has it too"
    ]


def test_table_that_is_none_is_told() -> None:
    assert told(a=HEADER, b=OFFER + '\n[zone]\nid = "x"\n')[0].startswith(
        "b:16: zone: unknown key, expected one of"
    )
    assert told(a=HEADER, b="offers = 3\n")[0] == "b:1: offers: expected array, got int"


def test_so_many_mistakes_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_check, "CATALOGUE_FINDINGS_MAX", 3)
    zones = "".join(f'[[zones]]\nid = "z{number}"\n' for number in range(9))
    assert len(told(a=HEADER + zones, b=OFFER)) == 3


WRONG = (
    "3", "-1", '"x"', "[]", '["x"]', "[3]", "{}", "true", "{ a = 1 }", "[{}]", '[{ id = "x" }]', "2026-01-01", "1.5",
    '""', "[[1]]",
)  # fmt: skip
STRANGE = (
    "[x]",
    "[[x]]",
    "[offers]",
    "[[offers]]",
    "[catalogue]",
    "zones = 3",
    "id = 7",
    "[[offers.prices]]",
)


def spoiled(texts: dict[str, str], seed: int) -> dict[str, str]:
    """The files with a few lines lost, doubled or replaced by what does not belong there."""
    chance = random.Random(seed)
    files = dict(texts)
    for _ in range(chance.randrange(1, 5)):
        name = chance.choice(sorted(files))
        lines = files[name].split("\n")
        place = chance.randrange(len(lines))
        key, equals, _value = lines[place].partition("=")
        match chance.randrange(4):
            case 0:
                del lines[place]
            case 1:
                lines.insert(place, chance.choice(lines))
            case 2 if equals:
                lines[place] = f"{key}= {chance.choice(WRONG)}"
            case _:
                lines[place] = chance.choice(STRANGE)
        files[name] = "\n".join(lines)
    return files


@pytest.mark.parametrize("batch", range(4))
def test_whatever_is_written_the_check_agrees_with_the_loader_and_never_breaks(
    batch: int, tmp_path: Path
) -> None:
    folder = Path(__file__).resolve().parents[2] / "config" / "catalogue"
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    for seed in range(batch * 12, batch * 12 + 12):
        files = spoiled(texts, seed)
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        check = check_catalogue(files)
        try:
            version = load_catalogue(tmp_path).version
        except CatalogueError:
            version = None
        assert (version is None) == bool(check.errors), (seed, check.errors)
        assert version == (check.catalogue.version if check.catalogue else None), seed
