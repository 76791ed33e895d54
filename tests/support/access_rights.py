"""The store's user with the least rights, as the runbook gives it."""

from tests.support.processes import ROOT


def least_rights(password: str) -> list[str]:
    """The words of the command that makes it."""
    lines = (ROOT / "docs" / "runbook.md").read_text().splitlines()
    (rule,) = [line for line in lines if line.startswith("ACL SETUSER ocs ")]
    return rule.replace("PASSWORD", password).split()
