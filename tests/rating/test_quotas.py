from typing import get_args

import msgspec
import pytest

from ocs.messages import FinalUnitAction, RedirectAddressType
from ocs.rating import QuotaRule, TariffSwitch
from ocs.rating.errors import ExpectationError
from ocs.rating.quotas import QuotaRules, compile_final_unit
from ocs.rating.schema import FinalUnitTable, QuotaTable, TriggerName
from ocs.units import UnitType

DATA = QuotaTable(
    id="data",
    unit="octets",
    standard=True,
    default="10 MiB",
    minimum="1 MiB",
    maximum="100 MiB",
    validity_time="1 h",
    volume_threshold="1 MiB",
)
VIDEO = QuotaTable(
    id="video",
    unit="octets",
    rating_groups=(2, 20),
    default="50 MiB",
    minimum="1 MiB",
    maximum="1 GiB",
    validity_time=60,
)
VOICE = QuotaTable(
    id="voice",
    unit="seconds",
    default=60,
    minimum=10,
    maximum="1 h",
    validity_time="10 min",
    time_threshold=5,
)


def change(table: QuotaTable, **changes: object) -> QuotaTable:
    return msgspec.structs.replace(table, **changes)


def test_rule_of_the_rating_group_comes_before_the_standard_one() -> None:
    rules = QuotaRules([DATA, VIDEO])
    assert rules.rule(UnitType.TOTAL_OCTETS, 2).default_units == 50 * 2**20
    assert rules.rule(UnitType.OUTPUT_OCTETS, 20).default_units == 50 * 2**20
    assert rules.rule(UnitType.TOTAL_OCTETS, 1).default_units == 10 * 2**20
    assert rules.rule(UnitType.TOTAL_OCTETS, None).default_units == 10 * 2**20


def test_rule_is_read_in_units_and_seconds() -> None:
    assert QuotaRules([VOICE]).named("voice", UnitType.TIME) == QuotaRule(
        default_units=60,
        minimum_units=10,
        maximum_units=3_600,
        validity_time_s=600,
        volume_quota_threshold_octets=None,
        time_quota_threshold_s=5,
    )
    assert QuotaRules([DATA]).named("data", UnitType.INPUT_OCTETS).volume_quota_threshold_octets == 2**20


def test_named_rule_must_count_what_the_price_counts() -> None:
    with pytest.raises(
        ExpectationError, match=r"expected an existing quota for seconds \(none is defined\), got 'data'"
    ):
        QuotaRules([DATA]).named("data", UnitType.TIME)


def test_price_without_any_rule_is_an_error() -> None:
    rules = QuotaRules([DATA, VOICE])
    rules.require_standard(UnitType.INPUT_OCTETS)
    with pytest.raises(ExpectationError, match="standard = true for seconds"):
        rules.require_standard(UnitType.TIME)


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ([change(DATA, default="1 kB")], "quotas[data].default"),
        ([change(DATA, default="1 GiB")], "quotas[data].default"),
        ([change(DATA, minimum=0)], "quotas[data].minimum"),
        ([change(DATA, maximum="60 s")], "quotas[data].maximum"),
        ([change(DATA, validity_time="1 MiB")], "quotas[data].validity_time"),
        ([change(DATA, validity_time=0)], "quotas[data].validity_time"),
        ([change(DATA, volume_threshold="10 MiB")], "quotas[data].volume_threshold"),
        ([change(DATA, time_threshold=5)], "quotas[data].time_threshold"),
        ([change(VOICE, volume_threshold="1 kB")], "quotas[voice].volume_threshold"),
        ([DATA, change(DATA, id="other")], "quotas[other].standard"),
        ([VIDEO, change(VIDEO, id="other", rating_groups=(20,))], "quotas[other].rating_groups"),
    ],
)
def test_rules_that_contradict_themselves_or_each_other_are_refused(
    tables: list[QuotaTable], key: str
) -> None:
    with pytest.raises(ExpectationError) as caught:
        QuotaRules(tables)
    assert caught.value.key == key


def test_rule_says_how_idle_time_pools_triggers_and_tariff_switches_are_dealt_with() -> None:
    table = change(
        VOICE,
        holding_time="5 min",
        consumption_time=0,
        triggers=("rat", "location_mcc"),
        pool=3,
        tariff_switch="tariff_time_change",
    )
    rule = QuotaRules([table]).named("voice", UnitType.TIME)
    assert (rule.quota_holding_time_s, rule.quota_consumption_time_s) == (300, 0)
    assert (rule.triggers, rule.pool_id) == ((4, 30), 3)
    assert rule.tariff_switch is TariffSwitch.TARIFF_TIME_CHANGE


def test_consumption_time_is_for_quotas_of_time() -> None:
    with pytest.raises(ExpectationError) as caught:
        QuotaRules([change(DATA, consumption_time=5)])
    assert caught.value.key == "quotas[data].consumption_time"


def test_every_trigger_has_a_number_of_its_own() -> None:
    names = get_args(TriggerName)
    rule = QuotaRules([change(DATA, triggers=names)]).named("data", UnitType.TOTAL_OCTETS)
    assert len(set(rule.triggers)) == len(names)


@pytest.mark.parametrize("qos", [False, True])
def test_final_unit_is_told_to_the_qos_where_asked(*, qos: bool) -> None:
    table = FinalUnitTable(action="restrict", filter_ids=("slow",), qos=qos)
    assert compile_final_unit(table).is_qos is qos
    redirect = FinalUnitTable(
        action="redirect", redirect_address_type="url", redirect_address="https://x/", qos=qos
    )
    assert compile_final_unit(redirect).is_qos is qos


def test_final_unit_action_is_terminate_unless_said() -> None:
    assert compile_final_unit(None).action == FinalUnitAction.TERMINATE
    assert compile_final_unit(FinalUnitTable(action="terminate")).action == FinalUnitAction.TERMINATE


@pytest.mark.parametrize(
    ("name", "address", "address_type"),
    [
        ("ipv4", "192.0.2.1", RedirectAddressType.IPV4),
        ("ipv6", "2001:db8::1", RedirectAddressType.IPV6),
        ("url", "https://topup.lab.example/", RedirectAddressType.URL),
        ("sip_uri", "sip:announcement@lab.example", RedirectAddressType.SIP_URI),
    ],
)
def test_redirection_has_an_address_of_its_type(
    name: str, address: str, address_type: RedirectAddressType
) -> None:
    table = msgspec.convert(
        {"action": "redirect", "redirect_address_type": name, "redirect_address": address}, FinalUnitTable
    )
    indication = compile_final_unit(table)
    assert indication.action == FinalUnitAction.REDIRECT
    assert (indication.redirect_address_type, indication.redirect_address) == (address_type, address)


def test_restriction_has_rules_or_filter_ids() -> None:
    rules = ("permit out ip from 192.0.2.10 to any",)
    indication = compile_final_unit(
        FinalUnitTable(action="restrict", filter_rules=rules, filter_ids=("walled",))
    )
    assert indication.action == FinalUnitAction.RESTRICT_ACCESS
    assert (indication.restriction_filter_rules, indication.filter_ids) == (rules, ("walled",))


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (FinalUnitTable(action="redirect"), "redirect_address_type"),
        (
            FinalUnitTable(action="redirect", redirect_address_type="ipv4", redirect_address="::1"),
            "redirect_address",
        ),
        (
            FinalUnitTable(action="redirect", redirect_address_type="ipv6", redirect_address="x"),
            "redirect_address",
        ),
        (
            FinalUnitTable(action="redirect", redirect_address_type="url", redirect_address="x.de"),
            "redirect_address",
        ),
        (
            FinalUnitTable(action="redirect", redirect_address_type="sip_uri", redirect_address="x"),
            "redirect_address",
        ),
        (FinalUnitTable(action="terminate", redirect_address="http://x/"), "redirect_address"),
        (FinalUnitTable(action="terminate", filter_ids=("x",)), "filter_rules"),
        (FinalUnitTable(action="terminate", qos=True), "qos"),
        (FinalUnitTable(action="restrict"), "filter_rules"),
        (FinalUnitTable(action="restrict", filter_rules=("allow everything",)), "filter_rules"),
        (FinalUnitTable(action="restrict", filter_rules=("",)), "filter_rules"),
    ],
)
def test_final_units_whose_details_do_not_fit_are_refused(table: FinalUnitTable, key: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        compile_final_unit(table)
    assert caught.value.key == key
