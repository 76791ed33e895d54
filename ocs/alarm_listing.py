"""Alarms as people read them in a terminal: tables with root causes over their symptoms, lines of changes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from ocs.api.alarms.words import operator_word, probable_cause_word
from ocs.event_listing import shown
from ocs.faults.alarm import Alarm, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.view.alarm_view import AlarmView, Summary
from ocs.faults.view.selection import AlarmFilter, AlarmRow, Order, PageRequest

# Symptoms shown under their cause; of a fibre cut there are thousands.
SYMPTOMS_SHOWN: Final = 5
ID_CHARACTERS: Final = 16
# Letters of an id that people are shown at least: what they noted yesterday is still one alarm's today.
_ID_LETTERS_SHOWN_MIN: Final = 6

_STYLES: Final = {
    Severity.CRITICAL: Style(color="white", bgcolor="red", bold=True),
    Severity.MAJOR: Style(color="red", bold=True),
    Severity.MINOR: Style(color="yellow"),
    Severity.WARNING: Style(color="cyan"),
    Severity.INDETERMINATE: Style(color="magenta"),
    Severity.CLEARED: Style(color="green"),
}
_KIND_WORDS: Final = {
    ChangeKind.REGROUPED: "regrouped",
    ChangeKind.OPERATED: "operator",
    ChangeKind.PASSED: "late signal",
}
_SUPPRESSIONS: Final = {
    "shelved": "an operator has shelved it",
    "maintenance": "its resource is in a maintenance window",
    "symptom": "it is a symptom: its cause is told",
    "flapping": "it comes and goes: that was told once",
    "settling": "its cause may still come",
}


def age_in_words(age_ms: int) -> str:
    """How long something lasts, in its two greatest units: ``3d 4h``, ``12m``, ``5s``."""
    seconds = max(0, age_ms) // 1000
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{seconds}s"


def severity_text(alarm: Alarm) -> Text:
    """The severity in its colour; of what is over that it is."""
    severity = Severity.CLEARED if alarm.is_cleared else alarm.severity
    return Text(severity.name.lower(), style=_STYLES[severity])


def time_text(epoch_ms: int) -> str:
    """A moment for people, in UTC as the network's own logs."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def notes_of(row: AlarmRow) -> str:
    """What else there is to say of an alarm, in a few words."""
    alarm, record = row.alarm, row.operator
    notes: list[str] = []
    if record is not None and record.state is not OperatorState.NONE:
        who = record.changes[-1].operator if record.changes else ""
        notes.append(f"{operator_word(record.state)} {shown(who)}".rstrip())
    if record is not None and record.assigned_to:
        notes.append(f"for {shown(record.assigned_to)}")
    if record is not None and record.grouped_under:
        notes.append(f"under {record.grouped_under[:_ID_LETTERS_SHOWN_MIN]}")
    if alarm.suppression and alarm.suppression != "shelved":
        notes.append(alarm.suppression)
    if alarm.escalation:
        notes.append(f"escalated {alarm.escalation}")
    if alarm.symptoms:
        notes.append(f"{alarm.symptoms} symptom{'s' if alarm.symptoms > 1 else ''}")
    if alarm.affected_subscribers:
        notes.append(f"{alarm.affected_subscribers} subscribers")
    if alarm.occurrences > 1:
        notes.append(f"x{alarm.occurrences}")
    return ", ".join(notes)


def id_letters_of(view: AlarmView) -> int:
    """How many first letters of its id name any alarm of the list."""
    ids = view.ids(AlarmFilter(), 0)
    lengths = range(_ID_LETTERS_SHOWN_MIN, ID_CHARACTERS)
    return next(
        (length for length in lengths if len({name[:length] for name in ids}) == len(ids)), ID_CHARACTERS
    )


def alarm_table(
    rows: Sequence[AlarmRow], view: AlarmView, now_ms: int, *, id_letters: int = ID_CHARACTERS
) -> Table:
    """Alarms with those that they explain indented under them, if these are not in the list themselves.

    Args:
        id_letters: so much of an id is shown.
    """
    table = Table(
        Column("severity", no_wrap=True),
        Column("age", justify="right", no_wrap=True),
        Column("id", no_wrap=True),
        Column("resource", overflow="fold"),
        Column("alarm", overflow="fold"),
        Column("notes", overflow="fold"),
        box=None,
        pad_edge=False,
    )
    in_list = {row.alarm.alarm_id for row in rows}
    for row in rows:
        if row.alarm.root_cause in in_list:
            continue  # shown under its cause
        _add(table, row, now_ms, id_letters, indent="")
        if row.alarm.symptoms and not row.alarm.is_cleared:
            _add_symptoms(table, row.alarm, view, now_ms, id_letters)
    return table


def _add_symptoms(table: Table, cause: Alarm, view: AlarmView, now_ms: int, id_letters: int) -> None:
    page = PageRequest(order=Order.SEVERITY, limit=SYMPTOMS_SHOWN)
    under = view.find(AlarmFilter(root_cause=cause.alarm_id, is_cleared=False), page, now_ms)
    for row in under.rows:
        _add(table, row, now_ms, id_letters, indent="  └ ")
    if under.total > len(under.rows):
        more = f"  └ and {under.total - len(under.rows)} more: --root-cause {cause.alarm_id[:id_letters]}"
        table.add_row("", "", "", more, "", "")


def _add(table: Table, row: AlarmRow, now_ms: int, id_letters: int, *, indent: str) -> None:
    alarm = row.alarm
    table.add_row(
        severity_text(alarm),
        age_in_words(now_ms - alarm.last_raised_ms),
        alarm.alarm_id[:id_letters],
        indent + shown(row.name),
        shown(alarm.text),
        notes_of(row),
    )


def summary_table(summary: Summary) -> Table:
    """The counters of RFC 8632, without severities of which there are none."""
    table = Table(
        "severity",
        *[
            Column(name, justify="right")
            for name in ("standing", "of these closed", "over", "of these closed", "in all")
        ],
        box=None,
        pad_edge=False,
    )
    for counts in summary.severities:
        if counts.total:
            table.add_row(
                Text(counts.severity.name.lower(), style=_STYLES[counts.severity]),
                *map(
                    str,
                    (
                        counts.not_cleared,
                        counts.not_cleared_closed,
                        counts.cleared,
                        counts.cleared_closed,
                        counts.total,
                    ),
                ),
            )
    return table


def alarm_lines(row: AlarmRow, now_ms: int) -> Iterator[str]:
    """Everything about one alarm."""
    alarm, key = row.alarm, row.alarm.key
    name = f"{key.alarm_type} {key.qualifier}".rstrip()
    yield f"{shown(row.name)}: {shown(name)}"
    if row.name != key.resource:
        yield f"  known as {shown(key.resource)}"
    yield f"  {shown(alarm.text)}"
    over = f", over since {time_text(alarm.last_changed_ms)}" if alarm.is_cleared else ""
    yield f"  {alarm.severity.name.lower()}{over}"
    raised = f"{time_text(alarm.last_raised_ms)} UTC, {age_in_words(now_ms - alarm.last_raised_ms)} ago"
    yield f"  raised {raised}; last change {time_text(alarm.last_changed_ms)}"
    yield f"  first raised {time_text(alarm.created_ms)}; raised or repeated: {alarm.occurrences}"
    yield f"  cause {probable_cause_word(alarm.probable_cause)}, told by {shown(alarm.source)}"
    if alarm.repair:
        yield f"  repair: {shown(alarm.repair)}"
    if alarm.affected_services:
        services = ", ".join(map(shown, alarm.affected_services))
        yield f"  affected: {services}; {alarm.affected_subscribers} subscribers"
    for name, value in alarm.details:
        yield f"  {shown(name)} = {shown(value)}"
    yield "device:"
    for change in alarm.changes:
        yield f"  {time_text(change.at_ms)}  {change.severity.name.lower():13} {shown(change.text)}"
    if row.operator is not None:
        yield from _operator_lines(row.operator)


def record_text(record: OperatorRecord) -> str:
    """What operators say of an alarm, in a few words."""
    shelf = f" until {time_text(record.shelved_until_ms)} UTC" if record.shelved_until_ms else ""
    assigned = f", for {shown(record.assigned_to)}" if record.assigned_to else ""
    group = f", under {record.grouped_under}" if record.grouped_under else ""
    is_touched = record.state is not OperatorState.NONE
    return f"{operator_word(record.state) if is_touched else 'not acknowledged'}{shelf}{assigned}{group}"


def _operator_lines(record: OperatorRecord) -> Iterator[str]:
    yield f"operators: {record_text(record)}"
    deeds = [(one.at_ms, one.operator, operator_word(one.state), one.text) for one in record.changes]
    deeds += [(one.at_ms, one.operator, "says", one.text) for one in record.comments]
    for at_ms, operator, word, text in sorted(deeds):
        yield f"  {time_text(at_ms)}  {shown(operator)}: {word} {shown(text)}".rstrip()


def explanation_lines(row: AlarmRow, view: AlarmView, now_ms: int) -> Iterator[str]:
    """Why an alarm is as it is: what it stands under, who is told of it, when it will be over."""
    alarm = row.alarm
    yield f"{shown(row.name)}: {shown(alarm.text)}"
    if alarm.is_catch_all:
        yield "- no rule knows the trap: `ocs faults explain` shows how one would be read"
    cause, seen = alarm, {alarm.alarm_id}
    while cause.root_cause and cause.root_cause not in seen:
        found = view.get(cause.root_cause)
        if found is None:
            yield f"- its cause {cause.root_cause} is not in the list any more"
            break
        cause = found.alarm
        seen.add(cause.alarm_id)
        yield f"- {shown(found.name)} explains it: {shown(cause.text)} ({cause.alarm_id})"
    if row.operator is not None and (above := view.get(row.operator.grouped_under)) is not None:
        yield f"- operators put it under {shown(above.name)}: {shown(above.alarm.text)} ({above.alarm.alarm_id})"
    if alarm.symptoms:
        yield f"- it explains {alarm.symptoms} others: `ocs alarms list --root-cause {alarm.alarm_id}`"
    if alarm.suppression:
        why = _SUPPRESSIONS.get(alarm.suppression, alarm.suppression)
        yield f"- nobody is told of it: {why}"
    elif alarm.is_announced:
        yield "- nothing holds its notice back: whoever `ocs alarms notices` lists for such alarms is told"
    if row.is_shelved(now_ms) and row.operator is not None and row.operator.shelved_until_ms:
        yield f"- the shelf ends {time_text(row.operator.shelved_until_ms)} UTC"
    if alarm.is_cleared:
        yield f"- the device said that it is over, {age_in_words(now_ms - alarm.last_changed_ms)} ago"
    elif alarm.will_clear:
        yield "- the device will say when it is over"
    else:
        yield "- the device never says when it is over: `ocs alarms clear` does"


def change_text(change: AlarmChange, row: AlarmRow | None) -> Text:
    """One change as a line of `ocs alarms watch`; the row is that of its alarm."""
    text = Text(f"{time_text(change.at_ms)}  {change.alarm_id}  ")
    word = _KIND_WORDS.get(change.kind, str(change.kind))
    if row is None:
        return text.append(word)
    text.append(f"{word:10} ").append_text(severity_text(row.alarm))
    text.append(f"  {shown(row.name)}: {shown(row.alarm.text)}")
    notes = notes_of(row)
    return text.append(f"  ({notes})") if notes else text


def plain_table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table of words and numbers, numbers to the right."""
    lines = [list(row) for row in rows]
    numbers = {index for line in lines for index, value in enumerate(line) if isinstance(value, int | float)}
    table = Table(
        *[
            Column(heading, justify="right" if index in numbers else "left")
            for index, heading in enumerate(headings)
        ],
        box=None,
        pad_edge=False,
    )
    for line in lines:
        table.add_row(*["" if value is None else str(value) for value in line])
    return table
