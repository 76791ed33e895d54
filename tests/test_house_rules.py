"""The rules of the house that no linter knows: sizes, mirrors, documents that stay true, nothing left behind."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ocs.settings_file import load_settings

ROOT = Path(__file__).resolve().parent.parent
SOURCE_FOLDERS = ("ocs", "bss", "simulators", "bench")

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 600
# The ratchet: "file:function" -> its length when the rule came. The list only shrinks; nothing is added to it.
LONG_FUNCTIONS: dict[str, int] = {}
# Tables of data may be longer than a file should be; each says which table it is.
LONG_FILES: dict[str, str] = {"ocs/limits.py": "the one table of bounds, each with its reason"}
# Sources without a test file of their own -> the test file that covers them (and imports or names them).
TESTED_IN: dict[str, str] = {
    "ocs/provision_listing.py": "tests/test_provision_commands.py",
    "ocs/provisioning_setup.py": "tests/test_service_parameters.py",
    "ocs/transaction_desk.py": "tests/test_provision_commands.py",
    "ocs/provisioning/netconf/operations.py": "tests/provisioning/netconf/test_netconf_session.py",
    "ocs/provisioning/netconf/changes.py": "tests/provisioning/netconf/test_netconf_session.py",
    "ocs/provisioning/cli/description.py": "tests/provisioning/cli/test_command_line.py",
    "ocs/provisioning/cli/line_rules.py": "tests/provisioning/cli/test_writing.py",
    "ocs/provisioning/driver.py": "tests/support/fake_network.py",
    "ocs/provisioning/errors.py": "tests/provisioning/transactions/test_coordinator.py",
    "ocs/compliance_setup.py": "tests/test_compliance_commands.py",
    "ocs/provisioning/compliance/errors.py": "tests/provisioning/compliance/test_backups.py",
    "ocs/provisioning/compliance/reverting.py": "tests/provisioning/compliance/test_examiner.py",
    "ocs/provisioning/compliance/tables.py": "tests/test_sql.py",
    "ocs/provisioning/transactions/batches.py": "tests/provisioning/transactions/test_journal.py",
    "ocs/provisioning/transactions/means.py": "tests/provisioning/transactions/test_coordinator.py",
    "ocs/provisioning/transactions/participation.py": "tests/provisioning/transactions/test_coordinator.py",
    "ocs/provisioning/transactions/planner.py": "tests/provisioning/transactions/test_coordinator.py",
    "ocs/provisioning/transactions/record.py": "tests/provisioning/transactions/test_journal.py",
    "ocs/provisioning/transactions/steps.py": "tests/provisioning/transactions/test_coordinator.py",
    "ocs/provisioning/transactions/tables.py": "tests/provisioning/transactions/test_journal.py",
    "ocs/faults/receiver/receiver.py": "tests/faults/test_alarm_owner.py",
    "ocs/faults/alarm_change.py": "tests/faults/notices/test_recipient.py",
    "bench/trap_receivers.py": "tests/bench/test_traps.py",
    "bench/trap_sender.py": "tests/bench/test_traps.py",
    "ocs/secret_file.py": "tests/test_settings_file.py",
    "ocs/alarm_listing.py": "tests/test_alarm_commands.py",
    "ocs/alarm_administration_commands.py": "tests/test_alarm_commands.py",
    "ocs/alarm_desk.py": "tests/test_alarm_commands.py",
    "ocs/alarm_history.py": "tests/api/alarms/test_history.py",
    "ocs/alarm_names.py": "tests/test_alarm_commands.py",
    "ocs/near_names.py": "tests/test_fault_commands.py",
    "ocs/described_use_options.py": "tests/test_catalogue_commands.py",
    "ocs/faults/history/question.py": "tests/faults/history/test_queries.py",
    "ocs/alarm_report_commands.py": "tests/test_alarm_commands.py",
    "ocs/alarm_terminal.py": "tests/test_alarm_commands.py",
    "simulators/element/cli_channel.py": "tests/simulators/element/test_cli_element.py",
    "simulators/element/errors.py": "tests/simulators/element/test_datastores.py",
    "simulators/element/notices.py": "tests/simulators/element/test_netconf_element.py",
    "simulators/element/operations.py": "tests/simulators/element/test_netconf_element.py",
    "simulators/element/ssh.py": "tests/simulators/element/test_network_element.py",
    "simulators/element/state.py": "tests/simulators/element/test_netconf_element.py",
    "ocs/api/alarms/conditions.py": "tests/api/alarms/test_native.py",
    "ocs/api/alarms/deeds.py": "tests/api/alarms/test_routes.py",
    "ocs/api/alarms/examples.py": "tests/api/alarms/test_routes.py",
    "ocs/api/alarms/office.py": "tests/api/alarms/test_routes.py",
    "ocs/api/alarms/resources.py": "tests/api/alarms/test_routes.py",
    "ocs/api/alarms/tasks.py": "tests/api/alarms/test_routes.py",
    "ocs/api/alarms/views.py": "tests/api/alarms/test_routes.py",
    "ocs/api/tmf/slow_listeners.py": "tests/api/test_announcer.py",
    "ocs/faults/notices/sender.py": "tests/faults/notices/test_service.py",
    "ocs/settings_checks.py": "tests/test_settings_file.py",
    "ocs/event_listing.py": "tests/test_account_commands.py",
    "ocs/voucher_commands.py": "tests/test_account_commands.py",
    "ocs/subscribers/agenda.py": "tests/subscribers/test_sweep.py",
    "ocs/subscribers/grants.py": "tests/subscribers/test_plans.py",
    "ocs/subscribers/guesses.py": "tests/subscribers/test_voucher_service.py",
    "ocs/subscribers/office.py": "tests/subscribers/test_service.py",
    "ocs/subscribers/openings.py": "tests/subscribers/test_operations.py",
    "ocs/subscribers/redemptions.py": "tests/subscribers/test_voucher_service.py",
    "ocs/subscribers/states.py": "tests/subscribers/test_administration.py",
    "ocs/charging/work.py": "tests/charging/test_engine.py",
    "ocs/faults/book/outcome.py": "tests/faults/book/test_book.py",
    "ocs/faults/book/outlook.py": "tests/faults/book/test_book.py",
    "ocs/faults/topology/port.py": "tests/faults/topology/test_toml_topology.py",
    "ocs/faults/topology/schema.py": "tests/faults/topology/test_toml_topology.py",
    "ocs/faults/resync/looked_up.py": "tests/faults/resync/test_alarm_tables.py",
    "ocs/faults/resync/report.py": "tests/faults/resync/test_resynchroniser.py",
    "ocs/faults/supervision/supervised.py": "tests/faults/supervision/test_supervisor.py",
    "ocs/http_process.py": "tests/test_app.py",
    "ocs/rating/places.py": "tests/rating/test_catalogue_check.py",
    "ocs/rating/shapes.py": "tests/rating/test_catalogue_check.py",
    "ocs/rating/stand_ins.py": "tests/rating/test_catalogue_check.py",
    "ocs/api/operations.py": "tests/api/test_native_routes.py",
    "ocs/api/examples.py": "tests/api/test_description.py",
    "ocs/api/prepay_balance/examples.py": "tests/api/test_description.py",
    "ocs/api/tmf/api.py": "tests/api/tmf/test_resource_routes.py",
    "ocs/api/parts.py": "tests/api/test_server_tmf.py",
    "ocs/api/movements.py": "tests/api/test_movement_routes.py",
    "ocs/api/terms.py": "tests/api/test_term_routes.py",
    "ocs/api/voucher_batches.py": "tests/api/test_voucher_routes.py",
    "ocs/api/payments.py": "tests/api/test_payment_routes.py",
    "ocs/api/prepay_balance/desk.py": "tests/api/prepay_balance/test_routes.py",
    "ocs/api/tmf/errors.py": "tests/api/test_problems.py",
    "ocs/api/tmf/hub_routes.py": "tests/api/prepay_balance/test_routes.py",
    "ocs/balance/entries.py": "tests/subscribers/test_operations_rules.py",
    "ocs/balance/memory_store.py": "tests/balance/test_store_contract.py",
    "ocs/balance/partition_reader.py": "tests/balance/test_verify.py",
    "ocs/charging/decision.py": "tests/charging/test_decide.py",
    "ocs/charging/sessions.py": "tests/charging/test_decide.py",
    "ocs/charging/tariffs.py": "tests/charging/test_usage.py",
    "ocs/diameter_gy/package_tables.py": "tests/diameter_gy/test_dictionary.py",
    "ocs/user_errors.py": "tests/test_cli.py",
    "ocs/diameter_gy/survey.py": "tests/diameter_gy/test_familiar.py",
    "ocs/faults/snmp/discard.py": "tests/faults/snmp/test_engine.py",
    "ocs/network_process.py": "tests/endtoend/test_traps.py",
    "ocs/followers_process.py": "tests/endtoend/test_followers.py",
    "ocs/radius_worker.py": "tests/radius/test_server_pyrad.py",
    "ocs/session_commands.py": "tests/endtoend/test_demands.py",
    "ocs/faults/history/tables.py": "tests/test_sql.py",
    "ocs/faults/store/loading.py": "tests/faults/store/test_reader.py",
    "ocs/faults/store/memory.py": "tests/faults/store/test_alarm_store.py",
    "ocs/faults/store/port.py": "tests/faults/store/test_alarm_store.py",
    "ocs/migrations/env.py": "tests/test_sql.py",
    "ocs/migrations/versions/v0001_alarm_history.py": "tests/test_sql.py",
    "ocs/migrations/versions/v0003_provisioning.py": "tests/test_sql.py",
    "ocs/migrations/versions/v0004_compliance.py": "tests/test_sql.py",
    "ocs/migrations/versions/v0005_changed_transactions.py": "tests/test_sql.py",
    "ocs/migrations/versions/v0006_service_orders.py": "tests/test_sql.py",
    "ocs/api/service_ordering/tables.py": "tests/test_sql.py",
    "ocs/api/service_ordering/finding.py": "tests/api/service_ordering/test_routes.py",
    "ocs/api/service_ordering/views.py": "tests/api/service_ordering/test_routes.py",
    "ocs/api/service_ordering/resources.py": "tests/api/service_ordering/test_routes.py",
    "ocs/api/service_ordering/examples.py": "tests/api/service_ordering/test_routes.py",
    "ocs/api/service_inventory/finding.py": "tests/api/service_inventory/test_routes.py",
    "ocs/api/service_inventory/views.py": "tests/api/service_inventory/test_routes.py",
    "ocs/api/service_inventory/resources.py": "tests/api/service_inventory/test_routes.py",
    "ocs/api/service_inventory/examples.py": "tests/api/service_inventory/test_routes.py",
    "ocs/api/resource_inventory/finding.py": "tests/api/resource_inventory/test_routes.py",
    "ocs/api/resource_inventory/writing.py": "tests/api/resource_inventory/test_routes.py",
    "ocs/api/resource_inventory/views.py": "tests/api/resource_inventory/test_routes.py",
    "ocs/api/resource_inventory/resources.py": "tests/api/resource_inventory/test_routes.py",
    "ocs/api/resource_inventory/examples.py": "tests/api/resource_inventory/test_routes.py",
    "ocs/api/service_activation/finding.py": "tests/api/service_activation/test_routes.py",
    "ocs/api/service_activation/monitors.py": "tests/api/service_activation/test_routes.py",
    "ocs/api/service_activation/resources.py": "tests/api/service_activation/test_routes.py",
    "ocs/api/service_activation/examples.py": "tests/api/service_activation/test_routes.py",
    "ocs/api/tmf/sql_listing.py": "tests/api/service_inventory/test_routes.py",
    "ocs/api/tmf/sql_side.py": "tests/api/service_activation/test_routes.py",
    "ocs/api/tmf/paging.py": "tests/api/resource_inventory/test_routes.py",
    "ocs/api/tmf/characteristics.py": "tests/api/service_inventory/test_routes.py",
    "ocs/api/tmf/event_desk.py": "tests/api/service_inventory/test_routes.py",
    "ocs/sql_error.py": "tests/test_sql.py",
    "ocs/faults/mibs/errors.py": "tests/faults/mibs/test_compiler.py",
    "ocs/faults/rules/errors.py": "tests/faults/rules/test_templates.py",
    "ocs/faults/rules/schema.py": "tests/faults/rules/test_rules_file.py",
    "ocs/inventory/errors.py": "tests/inventory/test_registry.py",
    "ocs/inventory/footprints.py": "tests/inventory/test_services.py",
    "ocs/inventory/number_states.py": "tests/inventory/test_numbers.py",
    "ocs/inventory/resources.py": "tests/inventory/test_registry.py",
    "ocs/inventory/sim_keys.py": "tests/inventory/test_sims.py",
    "ocs/inventory/statements.py": "tests/inventory/test_registry.py",
    "ocs/inventory/tables.py": "tests/inventory/test_registry.py",
    "ocs/inventory_listing.py": "tests/test_inventory_commands.py",
    "ocs/inventory_number_commands.py": "tests/test_inventory_commands.py",
    "ocs/inventory_element_commands.py": "tests/test_inventory_commands.py",
    "ocs/migrations/versions/v0002_inventory.py": "tests/test_sql.py",
}
# Sources in which there is nothing to test.
NOTHING_TO_TEST = {
    "ocs/__main__.py": "calls ocs.cli.main",
    "ocs/limits.py": "constants; each is tested where it binds",
    "ocs/balance/model.py": "types only",
    "ocs/api/backstage.py": "types only",
    "ocs/diameter_gy/codes.py": "constants",
    "ocs/diameter_gy/credit_control_request.py": "types only",
    "ocs/rating/rate.py": "types only",
    "ocs/faults/store/keys.py": "constants",
    "ocs/faults/mibs/model.py": "types only",
    "ocs/faults/notification.py": "types only",
    "ocs/faults/operator_axis.py": "types only",
    "ocs/inventory/model.py": "types only",
}
TEXT_SUFFIXES = {
    ".py",
    ".toml",
    ".md",
    ".txt",
    ".lua",
    ".html",
    ".css",
    ".js",
    ".cfg",
    ".yml",
    ".yaml",
    ".json",
    "",
}


@cache
def project_files() -> tuple[str, ...]:
    """Every file that is or would be committed, relative to the root; recorded data is not ours to judge."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    else:
        folders = (*SOURCE_FOLDERS, "tests", "docs", "config", ".ci")
        names = [str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*")]
        names += [path.name for path in ROOT.iterdir()]
    return tuple(
        sorted(
            name
            for name in set(names)
            if (ROOT / name).is_file() and "__pycache__" not in name and not name.startswith("tests/data/")
        )
    )


def text_files() -> list[str]:
    return [
        name for name in project_files() if Path(name).suffix in TEXT_SUFFIXES and Path(name).name != ".git"
    ]


def sources(*folders: str) -> list[str]:
    return [name for name in project_files() if name.endswith(".py") and name.split("/")[0] in folders]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def functions(name: str) -> Iterator[tuple[str, int]]:
    """Each function of a file with its length from `def` to its last line."""
    for node in ast.walk(ast.parse(read(name))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


# --- sizes -------------------------------------------------------------------------------------------------------


def test_no_function_grows_past_sixty_lines() -> None:
    long = {
        f"{name}:{function}": lines
        for name in sources(*SOURCE_FOLDERS)
        for function, lines in functions(name)
        if lines > FUNCTION_LINES_MAX
    }
    grown = {key: lines for key, lines in long.items() if lines > LONG_FUNCTIONS.get(key, 0)}
    assert not grown, f"longer than {FUNCTION_LINES_MAX} lines; does a reader see two things in one? {grown}"
    shrunk = {key: long.get(key, 0) for key, lines in LONG_FUNCTIONS.items() if long.get(key, 0) < lines}
    assert not shrunk, f"shorter than LONG_FUNCTIONS says: lower or remove the entries: {shrunk}"


def test_no_file_is_longer_than_six_hundred_lines() -> None:
    lines = {name: read(name).count("\n") for name in sources(*SOURCE_FOLDERS, "tests")}
    long = {name: count for name, count in lines.items() if count > FILE_LINES_MAX and name not in LONG_FILES}
    assert not long, f"split by noun: {long}"
    assert all(lines.get(name, 0) > FILE_LINES_MAX for name in LONG_FILES), "LONG_FILES names a short file"


# --- nothing left behind -----------------------------------------------------------------------------------------


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in text_files()
        for number, line in enumerate(read(name).splitlines(), 1)
        if marks.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    folders = "home|root|work|tmp"
    paths = re.compile(rf"(?<![\w.$}}/-])/(?:{folders})(?:/|\b(?!-))")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in text_files()
        for number, line in enumerate(read(name).splitlines(), 1)
        if paths.search(line)
    ]
    assert not found, "\n".join(found)


# --- tests mirror sources ----------------------------------------------------------------------------------------


def mirrored_tests(name: str) -> list[Path]:
    """The test files of a source: ocs/a/b.py has tests/a/test_b.py (or test_b_*.py), others tests/bench/test_c.py."""
    path = Path(name)
    folder = (
        ROOT / "tests" / path.parent.relative_to("ocs")
        if path.parts[0] == "ocs"
        else ROOT / "tests" / path.parent
    )
    own = folder / f"test_{path.stem.strip('_')}.py"
    return [found for found in (own, *folder.glob(f"test_{path.stem.strip('_')}_*.py")) if found.is_file()]


def test_each_source_file_has_a_test_file() -> None:
    modules = [name for name in sources(*SOURCE_FOLDERS) if Path(name).name != "__init__.py"]
    own = {name for name in modules if mirrored_tests(name)}
    without = [name for name in modules if name not in own | TESTED_IN.keys() | NOTHING_TO_TEST.keys()]
    assert not without, f"write tests/.../test_NAME.py, or name the test file in TESTED_IN: {without}"
    outdated = [name for name in (*TESTED_IN, *NOTHING_TO_TEST) if name not in modules or name in own]
    assert not outdated, f"gone, or tested by a file of their own by now: {outdated}"
    strangers = [name for name, test in TESTED_IN.items() if Path(name).stem not in read(test)]
    assert not strangers, f"TESTED_IN names test files that say nothing of {strangers}"


# --- documents stay true -----------------------------------------------------------------------------------------


def clause_rows() -> list[tuple[int, list[str]]]:
    """Rows of docs/clauses.md that lead to code: (line number, cells)."""
    rows = [
        (number, [cell.strip() for cell in line.strip().strip("|").split("|")])
        for number, line in enumerate(read("docs/clauses.md").splitlines(), 1)
        if line.startswith("|")
    ]
    return [(number, cells) for number, cells in rows if "`" in cells[-1]]


def test_each_clause_leads_to_a_module_and_a_test_that_exist() -> None:
    rows = clause_rows()
    assert rows
    wrong: list[str] = []
    for number, cells in rows:
        if len(cells) != 4:
            wrong.append(f"line {number}: expected clause, requirement, module, test")
            continue
        wrong += [
            f"line {number}: no file {m}"
            for m in re.findall(r"`([^`]+)`", cells[2])
            if not (ROOT / m).is_file()
        ]
        for target in re.findall(r"`([^`]+)`", cells[3]):
            file, _, function = target.partition("::")
            if not (ROOT / file).is_file():
                wrong.append(f"line {number}: no file {file}")
            elif function not in {found for found, _ in functions(file)}:
                wrong.append(f"line {number}: no test {function} in {file}")
    assert not wrong, "\n".join(wrong)


def metric_names() -> set[str]:
    """Names given to Counter(...), Gauge(...) and Histogram(...) in ocs."""
    names: set[str] = set()
    for name in sources("ocs"):
        for node in ast.walk(ast.parse(read(name))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("Counter", "Gauge", "Histogram", "counter", "gauge", "histogram"):
                names.add(str(node.args[0].value))
    return names


def test_each_metric_has_an_entry_in_the_runbook_and_each_entry_a_metric() -> None:
    entries = set(re.findall(r"^### `([a-z0-9_]+)`", read("docs/runbook.md"), re.MULTILINE))
    names = metric_names()
    assert names - entries == set(), "metrics without an entry `### `name`` in docs/runbook.md"
    assert entries - names == set(), "runbook entries without a metric"


def test_each_direct_dependency_is_pinned_and_justified() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    groups = project["dependency-groups"].values()
    wanted = [
        *project["project"]["dependencies"],
        *(item for group in groups for item in group if isinstance(item, str)),
    ]
    names = [re.split(r"[\[<>=! ]", item)[0] for item in wanted]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in read("constraints.txt").splitlines()
        if "==" in line
    }
    justified = read("docs/decisions/0001-libraries.md")
    assert not [name for name in names if name.lower() not in pinned], "not in constraints.txt"
    assert not [name for name in names if f"`{name}`" not in justified], (
        "not in docs/decisions/0001-libraries.md"
    )


DOCUMENTS = [name for name in project_files() if name.endswith(".md")]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", read(document))
    missing = [link for link in links if not (ROOT / document).parent.joinpath(link).exists()]
    assert not missing, f"{document} links to nothing: {missing}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_named_in_documents_exist(document: str) -> None:
    named = re.findall(r"`((?:ocs|bss|simulators|bench|tests|docs|config)/[\w./-]*\w)/?`", read(document))
    missing = [path for path in named if not (ROOT / path).exists() and path != "bench/results.json"]
    assert not missing, f"{document} names files that do not exist: {missing}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_named_in_documents_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    |^\$ |&& )make ([a-z][a-z-]*)", read(document), re.MULTILINE))
    assert named <= targets, f"{document} names targets that the Makefile lacks: {named - targets}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_in_documents_compiles(document: str) -> None:
    for code in re.findall(r"^```python\n(.*?)^```", read(document), re.DOTALL | re.MULTILINE):
        ast.parse(code)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_configuration_in_documents_is_accepted(document: str, tmp_path: Path) -> None:
    for text in re.findall(r"^```toml\n(.*?)^```", read(document), re.DOTALL | re.MULTILINE):
        file = tmp_path / "ocs.toml"
        file.write_text(text)
        load_settings(file, {})


def named_commands() -> list[tuple[str, ...]]:
    """Commands of ours that documents show: ("ocs", "account", "create")."""
    shown = re.compile(r"(?:`|\.venv/bin/)(ocs|ocs-sim)((?: [a-z][a-z-]+)+)")
    return sorted(
        {(program, *words.split()) for name in DOCUMENTS for program, words in shown.findall(read(name))}
    )


@pytest.mark.parametrize("command", named_commands(), ids=" ".join)
def test_commands_named_in_documents_exist(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    main = importlib.import_module("ocs.cli" if command[0] == "ocs" else "simulators.cli").main
    monkeypatch.setattr(sys, "argv", [*command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
