import msgspec
import pytest

from ocs.rating.schema import CatalogueFile, CatalogueSource

HEADER = {"name": "n", "currency": "EUR", "time_zone": "UTC", "effective": "2026-11-01"}


def test_every_table_refuses_keys_that_it_does_not_name() -> None:
    for content in (
        {"tariffs": []},
        {"catalogue": HEADER | {"colour": "red"}},
        {"zones": [{"id": "z", "colour": "red"}]},
        {"periods": [{"id": "p", "colour": "red"}]},
        {
            "quotas": [
                {"id": "q", "unit": "octets", "default": 1, "minimum": 1, "maximum": 1, "colour": "red"}
            ]
        },
        {"allowances": [{"id": "a", "unit": "octets", "services": ["data"], "colour": "red"}]},
        {"offers": [{"id": "o", "colour": "red"}]},
        {
            "offers": [
                {"id": "o", "prices": [{"id": "p", "service": "data", "unit": "octets", "colour": "red"}]}
            ]
        },
        {"offers": [{"id": "o", "allowances": [{"allowance": "a", "amount": 1, "colour": "red"}]}]},
        {"offers": [{"id": "o", "final_unit": {"action": "terminate", "colour": "red"}}]},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(content, CatalogueFile)


@pytest.mark.parametrize("rating_group", [-1, 2**32, "1"])
def test_rating_groups_are_unsigned_32_bits(rating_group: object) -> None:
    price = {"id": "p", "service": "data", "unit": "octets", "rating_groups": [rating_group]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"offers": [{"id": "o", "prices": [price]}]}, CatalogueFile)


def test_serialised_source_is_read_back_equal() -> None:
    source = msgspec.convert(
        {
            "catalogue": HEADER | {"holidays": ["2026-12-25"]},
            "zones": [{"id": "z", "prefixes": ["49"]}],
            "periods": [{"id": "p", "from": "08:00", "to": "20:00"}],
            "quotas": [],
            "allowances": [],
            "offers": [{"id": "o", "final_unit": {"action": "restrict", "filter_ids": ["walled-garden"]}}],
        },
        CatalogueSource,
    )
    encoded = msgspec.json.encode(source)
    assert msgspec.json.decode(encoded, type=CatalogueSource) == source
    assert msgspec.json.encode(msgspec.json.decode(encoded, type=CatalogueSource)) == encoded
