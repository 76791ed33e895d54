"""The simulated operator's rules for accounts: short lives, so that a story sees them end."""

from ocs.balance.lifecycle import LifecycleRules
from ocs.balance.model import AutoTopUp
from ocs.subscribers.operations import AccountRules
from tests.support.lives import ONE_WAY_BARRED_DAYS, TOP_UP_DAYS

RULES = AccountRules(LifecycleRules(top_up_days=TOP_UP_DAYS, one_way_barred_days=ONE_WAY_BARRED_DAYS))
DAY_MS = 86_400_000
# Whose life ends unless it is prolonged, and who has ordered to be topped up.
MORTAL = "postpaid"
# Whom nobody calls and who is closed some day; what is paid for him afterwards lies there.
LEAVER = "leaver"
ORDERS = {
    "poor": AutoTopUp(90_000, 150_000, "card"),
    "shared": AutoTopUp(1_900_000, 200_000, "card"),
    "postpaid": AutoTopUp(-50_000, 100_000, "card"),
}
