"""Show: the journal as it grows, line by line, for people in front of a terminal."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from crisis.domain.clock import say_duration
from crisis.domain.entry import Entry
from crisis.domain.protocol import Person
from crisis.domain.scorecard import Scorecard
from crisis.domain.timeline import say_name, say_person

__all__ = ["Show", "scorecard_table"]

_MARKS = {
    "done": ("✔", "green"),
    "none": ("=", "dim"),
    "seen": ("◉", "cyan"),
    "asked": ("?", "bold yellow"),
    "escalated": ("?", "yellow"),
    "reminded": ("?", "dim yellow"),
    "put aside": ("⏸", "dim"),
    "voted": ("✎", "magenta"),
    "decided": ("✔", "bold magenta"),
    "vote refused": ("✘", "red"),
    "retrying": ("↻", "yellow"),
    "failed": ("✘", "bold red"),
    "drifted": ("↻", "yellow"),
    "alert": ("!", "bold red"),
    "ended": ("■", "bold"),
    "task closed": ("✔", "magenta"),
}


class Show:
    """Prints each entry with the time since the first, and says below what is being waited for."""

    def __init__(self, console: Console, people: Mapping[str, Person]) -> None:
        self.console, self.people = console, people
        self.first: datetime | None = None
        self._status: Status | None = None

    def entry(self, entry: Entry) -> None:
        """Print one entry, or, where something begins, say that it is under way."""
        self.first = self.first or entry.time
        if entry.kind in ("intended", "looking"):
            self.wait(f"{say_name(str(entry.body.get('action') or entry.body['look']))} {entry.body['target']}")
            return
        mark, style = _MARKS.get(entry.kind, ("·", "default"))
        bad = (entry.kind == "seen" and not entry.body.get("ok")) or bool(entry.body.get("error_kind"))
        line = Text(f"{_since(entry.time - self.first):>9}  ", style="dim")
        line.append(f"{mark} ", style="bold red" if bad else style)
        line.append(f"{self._who(entry):<18.18} ", style="bold")
        line.append(_what(entry), style="red" if bad else "default")
        self.console.print(line, soft_wrap=True)
        if entry.kind == "asked":
            names = " or ".join(say_person(who, self.people) for who in entry.body["people"])
            self.wait(f"waiting for {names} to decide")
        elif entry.kind in ("decided", "ended", "done", "none", "failed"):
            self.wait("working")

    def say(self, text: str, style: str = "default") -> None:
        """Print a line of the drill itself."""
        self.console.print(Text(f"{'':>9}  {text}", style=style), soft_wrap=True)

    def wait(self, what: str) -> None:
        """Say what is going on now; only where there is a terminal."""
        if not self.console.is_terminal:
            return
        if self._status is None:
            self._status = self.console.status(what)
            self._status.start()
        self._status.update(f"{what} …")

    def close(self) -> None:
        """Take the last waiting line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _who(self, entry: Entry) -> str:
        return say_person(entry.actor, self.people).split(" (")[0]


def _what(entry: Entry) -> str:
    body = entry.body
    name = say_name(str(body.get("action") or body.get("look") or ""))
    says = str(body.get("note") or body.get("says") or body.get("error") or body.get("because") or "")
    told = _WORDS.get(entry.kind)
    if told is not None:
        return told(entry)
    return f"{name}: {says}" if name else says


_WORDS: dict[str, Callable[[Entry], str]] = {
    "opened": lambda entry: f"Incident {entry.incident} opened: {entry.body['summary']}",
    "alert": lambda entry: f"{entry.body.get('summary')} ({entry.body.get('status')})",
    "started": lambda entry: (
        f"Playbook {entry.body['playbook']} began"
        + (f" again (start {entry.body['start']})" if entry.body["start"] > 1 else "")
    ),
    "level": lambda entry: f"Level {entry.body['level']}: {entry.body['because']}",
    "asked": lambda entry: f"{entry.body['plan']['title']}? plan {entry.body['hash'][:8]}",
    "escalated": lambda entry: f"asked too: {', '.join(entry.body['people'])}; {entry.body['because']}",
    "reminded": lambda entry: f"reminder {entry.body['number']} to whoever has not answered",
    "put aside": lambda entry: f"put aside until somebody answers, or {entry.body['until'][:16]} UTC",
    "voted": lambda entry: (
        f"says {entry.body['answer']}: {entry.body.get('reason') or 'no reason given'} ({entry.body['how']})"
    ),
    "decided": lambda entry: f"{entry.body['outcome']} {entry.body.get('choice', '')}".strip(),
    "ended": lambda entry: f"{entry.body['outcome']}: {entry.body['says']}",
    "task closed": lambda entry: f"closes the task {entry.body['task']}: {entry.body['evidence']}",
}


def scorecard_table(score: Scorecard, failed: int, turned_away: int, bought: int) -> Table:
    """Lay out a drill's scorecard."""
    table = Table(title="Scorecard", title_style="bold", min_width=52)
    table.add_column("what")
    table.add_column("measured", justify="right")
    rows = {
        "alert → first action": score.first_action,
        "alert → maintenance page": score.maintenance_on,
        "alert → decision maker asked": score.asked,
        **({"asked → deputy asked": score.deputy_asked} if score.deputy_asked is not None else {}),
        "asked → decided": score.decision,
        "decision → next step": score.next_step,
        "decision → revert pushed": score.reverted,
        "alert → healthy": score.healthy,
        "alert → open to users": score.maintenance_off,
    }
    for what, length in rows.items():
        table.add_row(what, say_duration(length) if length is not None else "—")
    table.add_section()
    table.add_row("users who met an error", str(failed))
    table.add_row("users who met the maintenance page", str(turned_away))
    table.add_row("users who bought", str(bought))
    table.add_row("decided by", score.decided_by or "nobody")
    table.add_row("steps retried", str(score.retries))
    table.add_row("runs restarted", str(score.restarts))
    table.add_row("still in force", ", ".join(measure.action for measure in score.open_measures) or "nothing")
    good = score.outcome == "recovered"
    table.add_row("outcome", Text(score.outcome or "open", style="bold green" if good else "bold red"))
    return table


def _since(length: timedelta) -> str:
    return f"+{length.total_seconds():.2f} s"
