"""Who we are."""

from ocs.diameter_gy.avp import diameter_identity, unsigned32
from ocs.diameter_gy.identity import NodeIdentity


def test_origin_is_encoded_once_in_the_order_of_the_grammar():
    identity = NodeIdentity("ocs.example", "example", "ocs", 7, ("127.0.0.1",))
    origin = diameter_identity(264, "ocs.example") + diameter_identity(296, "example")
    assert identity.origin_avps == origin
    assert identity.origin_state_avps == origin + unsigned32(278, 7)


def test_origin_state_id_is_left_out_when_there_is_none():
    identity = NodeIdentity("ocs.example", "example")
    assert identity.origin_state_avps == identity.origin_avps
