"""What notifications mean: rules from ``config/alarms/`` that make alarm signals of them."""

from ocs.faults.rules.errors import RulesError
from ocs.faults.rules.explanation import Explanation
from ocs.faults.rules.rulebook import RuleBook
from ocs.faults.rules.rules_file import load_rules, rules_of

__all__ = ["Explanation", "RuleBook", "RulesError", "load_rules", "rules_of"]
