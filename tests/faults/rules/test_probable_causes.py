"""The table of probable causes is IANA's, complete."""

from ocs.faults.mibs.standard import standard_modules
from ocs.faults.rules.probable_causes import CAUSE_NUMBERS, OTHER_CAUSE, PROBABLE_CAUSES


def test_table_is_that_of_IANA_ITU_ALARM_TC_MIB() -> None:
    module = next(one for one in standard_modules() if one.name == "IANA-ITU-ALARM-TC-MIB")
    labels = next(one for one in module.conventions if one.name == "IANAItuProbableCause").labels
    assert labels == PROBABLE_CAUSES
    assert len(CAUSE_NUMBERS) == len(PROBABLE_CAUSES)
    assert PROBABLE_CAUSES[OTHER_CAUSE] == "other"
