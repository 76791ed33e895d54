"""Runs tests in a world where one AVP has another code than we think: `python -m tests.support.without_avp`.

Reads a JSON object of AVP names with their tests from stdin and writes one of names with pytest's exit codes; the empty name
leaves the world as it is. A decoder
that looks for another code steps over the AVP, an encoder that writes another one does not write it: a test that speaks of
the AVP must fail. Each is a fork of a process that has imported all but our own code, which reads its
codes only once.
"""

import json
import os
import sys

# Imported before the forks, so that each does not do it again.
import diameter.message
import hypothesis
import msgspec
import pytest
import structlog
import trio

IMPORTED = (diameter.message, hypothesis, msgspec, structlog, trio)
# So far from every code that is used that it becomes none of them.
_OFFSET = 0x00D0_0000
# Exit code of a child that did not come to its tests; pytest has none so high.
_BROKEN = 99
# Assertions of what was imported before pytest began are not rewritten: no test looks at those.
_IMPORTED_EARLY = ("-W", "ignore::pytest.PytestAssertRewriteWarning")


def constant_of(avp: str) -> str:
    """Name in ``ocs/diameter_gy/codes.py`` of an AVP."""
    return avp.upper().replace("3GPP", "TGPP").replace("-", "_").replace("IPADDRESS", "IP_ADDRESS")


def _run(avp: str, tests: list[str]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code: int = _BROKEN
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if avp:
            from ocs.diameter_gy import codes  # before anything else of ours

            setattr(codes, constant_of(avp), getattr(codes, constant_of(avp)) + _OFFSET)
        code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *_IMPORTED_EARLY, *tests]))
    finally:
        os._exit(code)


if __name__ == "__main__":
    asked: dict[str, list[str]] = json.load(sys.stdin)
    print(json.dumps({avp: _run(avp, tests) for avp, tests in asked.items()}))
