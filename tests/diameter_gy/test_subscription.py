"""Who is charged, however a gateway writes it."""

import pytest

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, octet_string, utf8
from ocs.diameter_gy.errors import InvalidAvpLength, InvalidAvpValue, MissingAvp
from ocs.diameter_gy.subscription import party_of, subscriptions_of, subscriptions_of_user_name


def subscription(kind: int, text: str) -> bytes:
    return grouped(443, enumerated(450, kind), utf8(444, text))


@pytest.mark.parametrize(
    ("kind", "text", "identities"),
    [
        (0, "4915112345", ("e164:4915112345",)),
        (0, "+4915112345", ("e164:4915112345",)),
        (0, "+49 151-12345", ("e164:4915112345",)),
        (1, "262010000000001", ("imsi:262010000000001",)),
        (2, "sip:+49151@ims.example", ("sip:+49151@ims.example", "e164:49151")),
        (2, "sip:49151@ims.example;user=phone", ("sip:49151@ims.example", "e164:49151")),
        (2, "sip:+49151;cpc=x@ims.example", ("sip:+49151@ims.example", "e164:49151")),
        (2, "SIP:alice@ims.example?x=y", ("sip:alice@ims.example",)),
        (2, "alice@ims.example", ("sip:alice@ims.example",)),
        (2, "tel:+49-151", ("e164:49151",)),
        (2, "sip:ims.example", ("sip:ims.example",)),
        (3, "user@realm", ("nai:user@realm",)),
        (4, "whatever", ("private:whatever",)),
        (0, " ", ()),
    ],
)
def test_identity_is_one_text_however_written(kind, text, identities):
    assert subscriptions_of(subscription(kind, text)) == identities


def test_order_is_kept_and_each_identity_told_once():
    found = subscriptions_of(subscription(1, "26201") + subscription(2, "sip:+49@x") + subscription(0, "+49"))
    assert found == ("imsi:26201", "sip:+49@x", "e164:49")


def test_extension_holds_several_kinds():
    extension = encode_avp(
        659,
        utf8(660, "+49")
        + utf8(662, "sip:a@b")
        + utf8(663, "n@r")
        + utf8(664, "p")
        + utf8(661, "26201")
        + utf8(1, "?"),
    )
    assert subscriptions_of(extension) == ("e164:49", "sip:a@b", "nai:n@r", "private:p", "imsi:26201")


@pytest.mark.parametrize(
    ("parts", "error", "failed"),
    [
        (utf8(444, "1"), MissingAvp, enumerated(450, 0)),
        (enumerated(450, 0), MissingAvp, utf8(444, "")),
        (enumerated(450, 5) + utf8(444, "1"), InvalidAvpValue, enumerated(450, 5)),
        (enumerated(450, -1) + utf8(444, "1"), InvalidAvpValue, enumerated(450, -1)),
        (octet_string(450, b"") + utf8(444, "1"), InvalidAvpLength, enumerated(450, 0)),
        (enumerated(450, 0) + octet_string(444, b"\xff"), InvalidAvpValue, octet_string(444, b"\xff")),
    ],
)
def test_wrong_subscription_is_refused(parts, error, failed):
    with pytest.raises(error) as caught:
        subscriptions_of(grouped(443, parts))
    assert caught.value.failed_avp == grouped(443, failed)


@pytest.mark.parametrize(
    ("text", "identities"),
    [
        ("user@realm", ("nai:user@realm",)),
        ("262010000000001", ("imsi:262010000000001",)),
        ("4915112345", ("e164:4915112345",)),
        ("+262010000000001", ("e164:262010000000001",)),
        ("", ()),
        ("alice", ("nai:alice",)),
    ],
)
def test_user_name_is_read_as_what_it_looks_like(text, identities):
    assert subscriptions_of_user_name(text) == identities


@pytest.mark.parametrize(
    ("uri", "party"),
    [
        ("tel:+49-30-1234;phone-context=x", "49301234"),
        ("sip:+49301234@ims.example;user=phone", "49301234"),
        ("sips:alice@ims.example", "alice"),
        ("+49301234", "49301234"),
        ("112", "112"),
        ("tel:*100#", "*100#"),
        ("", ""),
    ],
)
def test_party_is_digits_or_a_sip_user(uri, party):
    assert party_of(uri) == party
