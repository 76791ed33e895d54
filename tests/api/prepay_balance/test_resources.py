"""Our resources beside the standard's definitions: no attribute that it does not know, none of its mandatory ones missing."""

import msgspec
import pytest

from ocs.api.prepay_balance.resources import (
    ACCUMULATED_BALANCE,
    ACTIONS,
    BALANCE_ACTION_HISTORY,
    BODIES,
    BUCKET,
)
from tests.support.swagger import Definitions

TMF654 = Definitions("TMF654-PrepayBalance-v4.0.0.swagger.json")
OURS = {"statusReason"}  # why an action failed
KINDS = [BUCKET, ACCUMULATED_BALANCE, BALANCE_ACTION_HISTORY, *ACTIONS.values()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_attributes_are_the_standards(kind):
    assert kind.attributes - OURS == TMF654.attributes(kind.name)


@pytest.mark.parametrize("path", BODIES)
def test_bodies_have_the_standards_attributes_and_ask_for_its_mandatory_ones(path: str):
    definition = f"{ACTIONS[path].name}_Create"
    fields = {field.encode_name: field for field in msgspec.structs.fields(BODIES[path])}
    own = {"@type", "@baseType", "@schemaLocation", "transferCost"}  # stepped over
    assert TMF654.attributes(definition) - own == set(fields)
    required = {name for name, field in fields.items() if field.required}
    later = {"topupBalance": {"amount"}, "transferBalance": {"reason", "channel", "logicalResource"}}
    missing = TMF654.required(definition) - required
    assert missing == later.get(path, set())  # asked for where it depends on the rest
    assert required - TMF654.required(definition) <= {"amount"}


def test_attributes_of_a_reference_may_be_missing_but_not_its_id():
    body = {"usageType": "monetary", "amount": None, "bucket": {}, "partyAccount": {"id": "A1"}}
    with pytest.raises(msgspec.ValidationError, match="id"):
        msgspec.convert(body, BODIES["topupBalance"])
