import contextlib

import pytest

from ocs.diameter_gy.admission import AdmissionPolicy, remedy_for
from ocs.diameter_gy.base_commands import CapabilitiesExchangeRequest, Origin
from ocs.diameter_gy.errors import NoCommonApplication, NoCommonSecurity, UnknownPeer
from ocs.settings import PeerSettings

ANYBODY = AdmissionPolicy.from_settings((PeerSettings(origin_host="*"),))


def cer(host="pgw.example", realm="example", applications=(4,), securities=()):
    return CapabilitiesExchangeRequest(
        Origin(host, realm, None), "test", 0, frozenset(applications), frozenset(securities)
    )


def test_listed_peer_is_let_in_whatever_the_case():
    AdmissionPolicy.from_settings((PeerSettings(origin_host="PGW.example"),)).check(cer("pgw.EXAMPLE"))


def test_peer_that_is_not_listed_is_unknown():
    with pytest.raises(UnknownPeer, match=r"unknown peer pgw\.example"):
        AdmissionPolicy.from_settings((PeerSettings(origin_host="smf.example"),)).check(cer())


def test_empty_list_lets_nobody_in():
    with pytest.raises(UnknownPeer):
        AdmissionPolicy.from_settings(()).check(cer())


def test_listed_peer_must_come_from_its_realm():
    policy = AdmissionPolicy.from_settings((PeerSettings(origin_host="pgw.example", origin_realm="home"),))
    policy.check(cer(realm="HOME"))
    with pytest.raises(UnknownPeer, match="Origin-Realm"):
        policy.check(cer(realm="elsewhere"))


def test_star_lets_everybody_of_its_realm_in():
    policy = AdmissionPolicy.from_settings((PeerSettings(origin_host="*", origin_realm="home"),))
    policy.check(cer(realm="home"))
    with pytest.raises(UnknownPeer, match="in realm elsewhere"):
        policy.check(cer(realm="elsewhere"))


@pytest.mark.parametrize("applications", [(4,), (0xFFFFFFFF,), (1, 3, 4, 16777238)])
def test_application_4_and_relay_are_common(applications):
    ANYBODY.check(cer(applications=applications))


@pytest.mark.parametrize("applications", [(), (3,), (16777238, 16777302)])
def test_other_applications_are_not(applications):
    with pytest.raises(NoCommonApplication):
        ANYBODY.check(cer(applications=applications))


@pytest.mark.parametrize("securities", [(), (0,), (0, 1)])
def test_peer_that_can_do_without_inband_tls_is_let_in(securities):
    ANYBODY.check(cer(securities=securities))


def test_peer_that_insists_on_inband_tls_has_no_common_security():
    with pytest.raises(NoCommonSecurity):
        ANYBODY.check(cer(securities=(1,)))


@pytest.mark.parametrize("names", [("pgw.example",), ("other", "PGW.example")])
def test_certificate_that_names_the_origin_host_is_accepted(names):
    ANYBODY.check(cer(), names)


@pytest.mark.parametrize("names", [(), ("other.example",), ("*.pgw.example",), ("*.example",), ("example",)])
def test_certificate_of_another_node_is_refused_and_a_wildcard_fits_none(names):
    with pytest.raises(UnknownPeer, match="certificate"):
        ANYBODY.check(cer(), names)


def test_peer_that_must_use_tls_is_let_in_over_tls_only():
    policy = AdmissionPolicy.from_settings(
        (PeerSettings(origin_host="PGW.example", tls=True), PeerSettings(origin_host="*"))
    )
    policy.check(cer(), is_tls=True)
    policy.check(cer("smf.example"))
    with pytest.raises(NoCommonSecurity, match="TLS only"):
        policy.check(cer())


def test_everybody_can_be_held_to_tls():
    policy = AdmissionPolicy.from_settings((PeerSettings(origin_host="*", tls=True),))
    policy.check(cer(), is_tls=True)
    with pytest.raises(NoCommonSecurity):
        policy.check(cer())


@pytest.mark.parametrize(("tls", "let_in"), [(None, False), (True, False), (False, True)])
def test_where_peers_show_certificates_nobody_takes_a_name_without_unless_the_operator_says_so(tls, let_in):
    policy = AdmissionPolicy.from_settings(
        (PeerSettings(origin_host="pgw.example", tls=tls),), shows_certificates=True
    )
    policy.check(cer(), ("pgw.example",), is_tls=True)
    with contextlib.nullcontext() if let_in else pytest.raises(NoCommonSecurity, match="TLS only"):
        policy.check(cer())


def test_remedy_names_the_setting():
    assert '[[diameter.peers]] origin_host = "x.example"' in remedy_for(3010, "x.example")
    assert all(remedy_for(code, "x") for code in (5005, 5010, 5017))
