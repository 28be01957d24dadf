"""Report: an incident as a page of Markdown that anchors the journal. A fold over it; no clock, no I/O."""

from collections.abc import Iterator, Mapping, Sequence

from crisis.domain.checklist import fold_tasks
from crisis.domain.clock import say_duration
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.entry import Entry
from crisis.domain.incident import Incident, fold_incident
from crisis.domain.protocol import Protocol
from crisis.domain.scorecard import fold_scorecard
from crisis.domain.timeline import LANES, fold_timeline, say_name, say_person

__all__ = ["write_report"]

_STATES = {"ok": "✓ done", "warn": "! attention", "bad": "✗ problem", "wait": "… waiting", "info": "· noted"}


def write_report(
    entries: Sequence[Entry], protocol: Protocol | None = None, links: Mapping[str, str] | None = None
) -> str:
    """Write the report of an incident. `links` are shown under its title: a name and an address each."""
    if not entries:
        return "# No such incident\n"
    incident = fold_incident(entries[0].incident, entries)
    lines = [
        *_head(incident, _ended(entries), protocol, links or {}),
        *_users_saw(incident, entries),
        *_scores(entries),
    ]
    lines += [*_timeline(entries), *_decisions(entries, protocol), *_tasks(entries, protocol), *_measures(incident)]
    lines += [*_analysis(entries), *_anchor(entries)]
    return "\n".join(lines).rstrip() + "\n"


def _head(incident: Incident, ended: str, protocol: Protocol | None, links: Mapping[str, str]) -> Iterator[str]:
    drill = "Drill" if incident.drill else "Incident"
    yield f"# {drill} {_cell(incident.id)}: {_cell(incident.summary)}"
    yield ""
    yield f"- **Outcome:** {_cell(incident.outcome or 'still running')}{_cell(ended)}"
    rule = protocol.levels.get(incident.level) if protocol else None
    means = f": {_cell(rule.means)}" if rule else ""
    yield f"- **Level:** {incident.level.title}{means}"
    yield f"- **Service:** {_cell(incident.service)}"
    if incident.opened_at:
        yield f"- **Began:** {incident.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    if incident.opened_at and incident.ended_at:
        yield f"- **Lasted:** {say_duration(incident.ended_at - incident.opened_at)}"
    yield f"- **Playbook:** {_cell(incident.playbook)}, started by {_cell(incident.requester or incident.source)}"
    for name, address in links.items():
        yield f"- **{_cell(name)}:** <{address.replace('>', '%3E').replace('<', '%3C').replace(' ', '%20')}>"
    yield ""


def _ended(entries: Sequence[Entry]) -> str:
    says = [str(entry.body.get("says", "")) for entry in entries if entry.kind == "ended"]
    return f": {says[-1]}" if says and says[-1] else ""


def _users_saw(incident: Incident, entries: Sequence[Entry]) -> Iterator[str]:
    yield from ("## What users saw", "", f"- {_cell(incident.summary)}")
    for entry in entries:
        if entry.kind == "done" and entry.body["action"] in ("start_maintenance", "end_maintenance"):
            what = "The maintenance page" if entry.body["action"] == "start_maintenance" else "The normal pages again"
            yield f"- {what}, from {entry.time:%H:%M:%S} UTC: {_cell(str(entry.body.get('note', '')))}"
    yield ""


def _scores(entries: Sequence[Entry]) -> Iterator[str]:
    yield from ("## Scorecard", "", "| measured | value |", "| --- | --- |")
    for name, value in fold_scorecard(entries).lines():
        yield f"| {name} | {_cell(value)} |"
    yield ""


def _timeline(entries: Sequence[Entry]) -> Iterator[str]:
    yield from ("## Timeline", "", "| time (UTC) | who | what | took | state |", "| --- | --- | --- | --- | --- |")
    for row in fold_timeline(entries):
        took = "" if row.seconds is None else _took(row.seconds)
        what = f"{_cell(row.title)}: {_cell(row.detail)}" if row.detail else _cell(row.title)
        yield f"| {row.time:%H:%M:%S} | {LANES[row.lane]} | {what} | {took} | {_STATES[row.state]} |"
    yield ""


def _decisions(entries: Sequence[Entry], protocol: Protocol | None) -> Iterator[str]:
    gates = fold_gates(entries)
    if gates:
        yield from ("## Plans and decisions", "")
    for gate in gates.values():
        yield from (f"### {_cell(gate.plan.title)}", "")
        for choice in gate.plan.choices:
            steps = "; ".join(f"{say_name(s.action)} on {s.target}: {s.now} → {s.wanted}" for s in choice.steps)
            yield f"- `{_cell(choice.name)}`: {_cell(choice.summary)}" + (f" ({_cell(steps)})" if steps else "")
        yield from _decided(gate, protocol)
        yield from (f"- **Plan hash:** `{gate.plan.hash}`", "")


def _decided(gate: Gate, protocol: Protocol | None) -> Iterator[str]:
    people = protocol.people if protocol else None
    for vote in gate.standing().values():
        reason = f", reason given: “{_cell(vote.reason)}”" if vote.reason else ""
        who = _cell(say_person(vote.who, people))
        yield f"- **Answer:** {who}: `{_cell(vote.answer)}` by {_cell(vote.how)} at {vote.at}{reason}"
    if gate.decision is None:
        yield "- **Decision:** none yet"
        return
    outcome, choice = gate.decision.outcome, f" `{_cell(gate.decision.choice)}`" if gate.decision.choice else ""
    by = ", ".join(_cell(say_person(who, people)) for who in gate.decision.by)
    if gate.decision.only is not None:
        choice += f", step {' and '.join(str(number + 1) for number in gate.decision.only)} alone"
    if gate.decision.glass:
        yield "- **Glass was broken:** two people decided without the decision makers, who stayed silent"
    yield f"- **Decision:** {outcome}{choice}{f', by {by}' if by else ''}, at {gate.decision.at}"


def _tasks(entries: Sequence[Entry], protocol: Protocol | None) -> Iterator[str]:
    people, tasks = protocol.people if protocol else None, fold_tasks(entries)
    if tasks:
        yield from ("## Tasks for people", "", "| task | owner | state | what shows it |", "| --- | --- | --- | --- |")
    for one in tasks.values():
        by = _cell(say_person(one.closed_by, people))
        state = f"✓ closed by {by} at {one.closed:%H:%M:%S} UTC, {_cell(one.proof)}" if one.closed else "… open"
        shows = _cell(one.evidence or f"wanted: {one.wanted}")
        yield f"| {_cell(one.what)} | {_cell(say_person(one.owner, people))} | {state} | {shows} |"
    if tasks:
        yield ""


def _measures(incident: Incident) -> Iterator[str]:
    yield from ("## Still in force", "")
    for measure in incident.measures:
        what = f"{say_name(measure.action)} on {_cell(measure.target)}"
        yield f"- {what}, since {measure.since:%H:%M:%S} UTC; undone by {say_name(measure.undo).lower()}"
    if not incident.measures:
        yield "Nothing: every temporary measure was undone."
    yield ""


def _analysis(entries: Sequence[Entry]) -> Iterator[str]:
    found = [
        str(entry.body["facts"]["report"])
        for entry in entries
        if entry.kind == "done"
        and entry.body["action"] == "file_ticket"
        and "report" in (entry.body.get("facts") or {})
    ]
    if found:
        yield from ("## Analysis", "", found[-1].strip(), "")


def _anchor(entries: Sequence[Entry]) -> Iterator[str]:
    last = entries[-1]
    yield from ("---", "", f"Journal of {_cell(last.incident)}: {last.seq} entries, head `{last.hash}`.")
    yield f"`crisis verify {_cell(last.incident)}` proves that this report and the journal belong together."


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"  # noqa: PLR2004


def _cell(text: str) -> str:
    # One line, no HTML, and no sign that would end a table's cell.
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return flat.replace("|", "\\|")
