"""Alert rules: a consumer that turns readings, scores and silence into alerts.

Reading order:

- ``builtin``   the rules that watch the pipeline itself
- ``config``    the ``[[rules]]`` tables
- ``machine``   inactive → pending → firing → resolved (pure)
- ``evaluate``  columns to runs of a condition, runs to transitions (pure)
- ``silence``   devices that stopped sending (pure)
- ``stored``    what survives a restart
- ``consumer``  batches in, alerts out
- ``timeline``  the tester behind ``gateway rules test``
"""

from gateway.rules.builtin import BuiltinRulesConfig, builtin, check_builtin
from gateway.rules.config import RuleConfig, check_rules, resolve

__all__ = [
    "BuiltinRulesConfig",
    "RuleConfig",
    "builtin",
    "check_builtin",
    "check_rules",
    "resolve",
]
