"""Carrying an element to what was decided; the stories of whole transactions are in `test_coordinator`."""

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.credentials import Credential
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError
from ocs.provisioning.transactions.carrying import Carrier, verify
from ocs.provisioning.transactions.record import Participant
from ocs.provisioning.transactions.steps import note_nothing
from simulators.element.datastores import Profile
from simulators.element.park import Park
from tests.support.elements import ethernet, interface, lab_sessions

DESCRIPTION = f"{interface('ge-0')}/description"
CHANGE = ConfigurationDiff({DESCRIPTION: "after"})


def test_secret_of_somebody_else_is_not_told() -> None:
    with pytest.raises(ElementError) as untrue:
        verify("pe1", ConfigurationDiff({"/m:x": "secret:key"}), {"/m:x": "hash-of-another"})
    assert "another value where secret:key was wanted" in str(untrue.value)
    assert "hash-of-another" not in str(untrue.value)


@pytest.mark.parametrize(
    "profile",
    [Profile(startup=True), Profile(candidate=False, writable_running=True, confirmed="", startup=True)],
)
async def test_element_that_runs_what_it_should_is_made_to_start_with_it(profile: Profile) -> None:
    """It was confirmed, and what should have saved it was lost."""
    with Park() as park:
        pe1 = park.netconf("pe1", profile=profile, running=ethernet("ge-0", "before"))
        pe1.change({DESCRIPTION: "after"})
        element = Element(
            name="pe1",
            type_name="netconf",
            address=pe1.address,
            port=pe1.port,
            credential="lab",
            host_key=pe1.host_key,
        )
        participant = Participant(element="pe1", forward=CHANGE, before=ethernet("ge-0", "before"))
        with trio.fail_after(60):
            async with asyncio_loop():
                sessions = lab_sessions(Credential(user="admin", password="admin"))
                carrier = Carrier(sessions, note_nothing, trio.lowlevel.checkpoint)
                await carrier.settle("t1", element, participant)
        assert pe1.startup()[DESCRIPTION] == "after"
