"""IPFilterRules in the form of RFC 5777, as the independent codec knows its AVPs."""

import pytest
from diameter.message import Avp

from ocs.diameter_gy.filter_rules import filter_rule_avp


def tree(octets: bytes) -> dict[str, object]:
    """Names and values as the `diameter` package reads them."""
    avp = Avp.from_bytes(octets)
    return {avp.name: _value(avp)}


def _value(avp: Avp) -> object:
    return [(part.name, _value(part)) for part in avp.value] if isinstance(avp.value, list) else avp.value


def rule(text: str) -> dict[str, object]:
    avp = filter_rule_avp(text, 7)
    assert avp is not None
    assert avp[4] == 0, "without the M bit: a gateway may not know it"
    return tree(avp)


def test_address_and_protocol_and_ports_are_told():
    found = rule("permit out 6 from any 80,8000-8080 to 10.0.0.1")
    assert found == {
        "Filter-Rule": [
            (
                "Classifier",
                [
                    ("Classifier-ID", b"7"),
                    ("Protocol", 6),
                    ("Direction", 1),
                    ("From-Spec", [("Port", 80), ("Port-Range", [("Port-Start", 8000), ("Port-End", 8080)])]),
                    ("To-Spec", [("IP-Address", (1, "10.0.0.1"))]),
                ],
            ),
            ("Treatment-Action", 3),
        ]
    }


def test_network_negation_and_the_subscribers_own_address_are_told():
    found = rule("deny in ip from assigned to !2001:db8::/32")
    assert found == {
        "Filter-Rule": [
            (
                "Classifier",
                [
                    ("Classifier-ID", b"7"),
                    ("Direction", 0),
                    ("From-Spec", [("Use-Assigned-Address", 1)]),
                    (
                        "To-Spec",
                        [
                            (
                                "IP-Address-Mask",
                                [("IP-Address", (2, "2001:db8::")), ("IP-Bit-Mask-Width", 32)],
                            ),
                            ("Negated", 1),
                        ],
                    ),
                ],
            ),
            ("Treatment-Action", 0),
        ]
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "permit",
        "permit out ip from any to any frag",
        "permit out 300 from any to any",
        "permit out ip from 10.0.0.300 to any",
        "permit out ip from any 70000 to any",
        "permit out ip from any to any 80-",
    ],
)
def test_rule_without_such_a_form_has_none(text: str) -> None:
    assert filter_rule_avp(text, 1) is None
