"""Picture: the timeline as one SVG that stands alone, light and dark. A fold over the journal; no clock, no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from crisis.domain.clock import say_duration
from crisis.domain.entry import Entry
from crisis.domain.timeline import LANES, Row, State, fold_timeline, say_name

__all__ = ["draw_timeline"]

_WIDTH, _LEFT, _RIGHT = 1200, 130, 1172
_HEAD, _TRACK, _PAD = 86, 28, 10
_CHAR = 6.7  # a generous width of one character at 12.5 px, so that labels never touch
_MAX_LABEL = 74
_TICKS = 9
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

_WORDS: dict[State, str] = {"ok": "done", "warn": "attention", "bad": "problem", "wait": "waiting", "info": "noted"}
_ICONS: dict[State, str] = {
    "ok": "M-4.5,0.5L-1.5,3.5L4.5,-3.5",
    "warn": "M0,-4.8V1M0,3.6V4.6",
    "bad": "M-3.6,-3.6L3.6,3.6M3.6,-3.6L-3.6,3.6",
    "wait": "M-4,-4.5H4L-4,4.5H4Z",
    "info": "M-4,0H4",
}
_STYLE = """
svg{--paper:#fbfaf7;--ink:#1d2127;--dim:#5a6270;--line:#dcd9d1;--band:#f2f0ea;
--ok:#1a7f4b;--warn:#a35a00;--bad:#c0272d;--wait:#2f5fc4;--info:#5a6270;
font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#14171c;--ink:#e8e6e1;--dim:#a0a7b3;--line:#313741;--band:#1b1f26;
--ok:#4fc487;--warn:#f0a545;--bad:#ff7b74;--wait:#86aaff;--info:#a0a7b3}}
.paper{fill:var(--paper)}.band{fill:var(--band)}text{fill:var(--ink)}.dim{fill:var(--dim)}
.h1{font-size:21px;font-weight:650}.h2{font-size:13.5px;fill:var(--dim)}.lane{font-weight:650;font-size:13px}
.grid{stroke:var(--line);stroke-width:1}.edge{stroke:var(--line);stroke-width:1}
.halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.on .halo{stroke:var(--band)}
.bar{fill:var(--c);fill-opacity:.2;stroke:var(--c);stroke-width:1.5}.dot{fill:var(--c)}
.open{stroke-dasharray:5 3}.icon{fill:none;stroke:var(--c);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.ok{--c:var(--ok)}.warn{--c:var(--warn)}.bad{--c:var(--bad)}.wait{--c:var(--wait)}.info{--c:var(--info)}
"""


@dataclass(frozen=True, slots=True)
class _Mark:
    start: float
    end: float
    bar: bool
    open: bool
    state: State
    label: str
    extra: str
    says: str


@dataclass
class _Lane:
    title: str
    tracks: list[list[str]] = field(default_factory=list)
    taken: list[list[tuple[float, float]]] = field(default_factory=list)


def draw_timeline(entries: Sequence[Entry], title: str, until: datetime | None = None) -> str:
    """
    Draw an incident: a lane each for alerts, responder, people, changes and what is in force.

    What is not over yet is drawn up to `until`, or up to the last entry.
    """
    rows = fold_timeline(entries)
    start, end = _span(rows, entries, until)
    scale = (_RIGHT - _LEFT) / max((end - start).total_seconds(), 1.0)
    lanes = []
    for key, name in LANES.items():
        lane = _Lane(name)
        for row in rows:
            if row.lane == key:
                _place(lane, _mark(row, start, end, scale))
        lanes.append(lane)
    force = _Lane("In force")
    for mark in _measures(entries, start, end, scale):
        _place(force, mark)
    lanes.append(force)
    return _svg([lane for lane in lanes if lane.tracks], rows, title, start, end)


def _span(rows: Sequence[Row], entries: Sequence[Entry], until: datetime | None) -> tuple[datetime, datetime]:
    if not rows:
        return _NEVER, _NEVER + timedelta(seconds=1)
    return rows[0].time, max(rows[-1].time, entries[-1].time, until or _NEVER)


def _mark(row: Row, start: datetime, end: datetime, scale: float) -> _Mark:
    unfinished = row.state == "wait"
    seconds = (end - row.time).total_seconds() if unfinished else row.seconds
    begin = _LEFT + (row.time - start).total_seconds() * scale
    width = max((seconds or 0) * scale, 5.0)
    words = [] if row.seconds is None else [say_duration(timedelta(seconds=row.seconds))]
    if row.detail and (row.lane == "people" or row.state == "bad"):
        words.insert(0, row.detail.replace("`", ""))
    when = f"{row.time:%H:%M:%S} UTC"
    says = f"{when} · {row.title} · {_WORDS[row.state]}" + (f" · {row.detail}" if row.detail else "")
    title, extra = row.title.replace("`", ""), ", ".join(words)
    return _Mark(begin, begin + width, seconds is not None, unfinished, row.state, title, extra, says)


def _measures(entries: Sequence[Entry], start: datetime, end: datetime, scale: float) -> Iterator[_Mark]:
    standing: dict[tuple[str, str], Entry] = {}
    spans: list[tuple[Entry, Entry | None]] = []
    for entry in entries:
        if entry.kind not in ("done", "none"):
            continue
        where = (str(entry.body["action"]), str(entry.body["target"]))
        if where in standing:
            spans.append((standing.pop(where), entry))
        if entry.body.get("measure"):
            standing[str(entry.body["undo"]), where[1]] = entry
    spans += [(entry, None) for entry in standing.values()]
    for since, until in sorted(spans, key=lambda span: span[0].seq):
        last = until.time if until else end
        length = say_duration(last - since.time)
        begin = _LEFT + (since.time - start).total_seconds() * scale
        finish = max(_LEFT + (last - start).total_seconds() * scale, begin + 5)
        label, state = say_name(str(since.body["action"])), "info" if until else "warn"
        extra = length if until else "still in force"
        says = f"{label} on {since.body['target']}: {extra}"
        yield _Mark(begin, finish, bar=True, open=until is None, state=state, label=label, extra=extra, says=says)  # type: ignore[arg-type]


def _place(lane: _Lane, mark: _Mark) -> None:
    room = int((mark.end - mark.start - 40) / _CHAR) if mark.bar else 0
    label = _shorten(mark.label, 48)
    extra = _shorten(mark.extra, max(max(_MAX_LABEL, room) - len(label) - 2, 14)) if mark.extra else ""
    gap = 5 if mark.bar else 10
    text = 22 + (len(label) + len(extra) + (2 if extra else 0)) * _CHAR
    if mark.bar and mark.end - mark.start > text + 8:
        side, left, right = "in", mark.start, mark.end
    elif mark.end + gap + text < _WIDTH:
        side, left, right = "after", mark.start - 8, mark.end + gap + text
    else:
        side, left, right = "before", mark.start - gap - text, mark.end + 8
    track = next((n for n, taken in enumerate(lane.taken) if all(right < a or left > b for a, b in taken)), None)
    if track is None:
        track = len(lane.tracks)
        lane.tracks.append([])
        lane.taken.append([])
    lane.taken[track].append((left, right))
    lane.tracks[track].append(_draw(mark, label, extra, side, gap))


def _draw(mark: _Mark, label: str, extra: str, side: str, gap: int) -> str:
    icon, x, anchor = {
        "in": (mark.start + 13, mark.start + 24, "start"),
        "after": (mark.end + gap + 6, mark.end + gap + 17, "start"),
        "before": (mark.start - gap - 6, mark.start - gap - 17, "end"),
    }[side]
    if mark.bar:
        dash = " open" if mark.open else ""
        size = f'x="{mark.start:.1f}" y="-9" width="{mark.end - mark.start:.1f}" height="18" rx="3"'
        shape = f'<rect class="bar{dash}" {size}/>'
    else:
        shape = f'<path class="dot" transform="translate({mark.start:.1f} 0)" d="M0,-7.5L7.5,0L0,7.5L-7.5,0Z"/>'
    sign = f'<path class="icon" transform="translate({icon:.1f} 0)" d="{_ICONS[mark.state]}"/>'
    more = f'<tspan class="dim" dx="7">{_safe(extra)}</tspan>' if extra else ""
    halo = "" if side == "in" else ' class="halo"'
    text = f'<text{halo} x="{x:.1f}" y="4.3" text-anchor="{anchor}">{_safe(label)}{more}</text>'
    return f'<g class="{mark.state}"><title>{_safe(mark.says)}</title>{shape}{sign}{text}</g>'


def _svg(lanes: Sequence[_Lane], rows: Sequence[Row], title: str, start: datetime, end: datetime) -> str:
    bands: list[str] = []
    parts: list[str] = []
    top = _HEAD
    for number, lane in enumerate(lanes):
        height = len(lane.tracks) * _TRACK + 2 * _PAD
        shaded = number % 2 == 0
        if shaded:
            bands.append(f'<rect class="band" x="0" y="{top:.0f}" width="{_WIDTH}" height="{height:.0f}"/>')
        parts.append(_lane(lane, top, shaded=shaded))
        top += height
    ticks = "".join(_ticks(start, end, _HEAD, top))
    lasted = say_duration(end - start) if rows else "nothing yet"
    since = f"{start:%Y-%m-%d, %H:%M:%S} UTC · {lasted}" if rows else lasted
    told = ". ".join(f"{row.time:%H:%M:%S} {row.title}, {_WORDS[row.state]}" for row in rows)
    height = top + 78
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" '
        f'height="{height:.0f}" role="img" aria-labelledby="picture-title picture-desc">'
        f'<title id="picture-title">{_safe(title)}</title><desc id="picture-desc">{_safe(told)}</desc>'
        f'<style>{_STYLE}</style><rect class="paper" width="{_WIDTH}" height="{height:.0f}"/>'
        f'<text class="h1" x="24" y="40">{_safe(_shorten(title, 96))}</text>'
        f'<text class="h2" x="24" y="64">{_safe(since)}</text>'
        f"{''.join(bands)}{ticks}{''.join(parts)}{_legend(top + 58)}</svg>\n"
    )


def _lane(lane: _Lane, top: float, *, shaded: bool) -> str:
    name = f'<text class="lane" x="24" y="{top + _PAD + _TRACK / 2 + 4.5:.1f}">{_safe(lane.title)}</text>'
    tracks = [
        f'<g transform="translate(0 {top + _PAD + number * _TRACK + _TRACK / 2:.1f})">{"".join(track)}</g>'
        for number, track in enumerate(lane.tracks)
    ]
    return f'<g class="{"on" if shaded else "off"}">{name}{"".join(tracks)}</g>'


def _ticks(start: datetime, end: datetime, top: float, bottom: float) -> Iterator[str]:
    span = max((end - start).total_seconds(), 1.0)
    step = next((step for step in _STEPS if span / step <= _TICKS), int(span / _TICKS) + 1)
    for number in range(int(span // step) + 1):
        x = _LEFT + number * step * (_RIGHT - _LEFT) / span
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.0f}" y2="{bottom + 6:.0f}"/>'
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{bottom:.0f}" opacity=".7"/>'
        anchor = "start" if x < _LEFT + 1 else "end" if x > _RIGHT - 12 else "middle"
        moment = start + timedelta(seconds=number * step)
        yield f'<text class="dim" x="{x:.1f}" y="{bottom + 22:.0f}" text-anchor="{anchor}">{_say_tick(number * step)}'
        yield f"<title>{moment:%H:%M:%S} UTC</title></text>"


def _say_tick(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    parts = ((hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "start"


def _legend(y: float) -> str:
    parts: list[str] = []
    x = float(_LEFT)
    for state, word in _WORDS.items():
        parts.append(f'<g class="{state}"><path class="icon" transform="translate({x:.0f} {y - 4:.0f})" ')
        parts.append(f'd="{_ICONS[state]}"/><text class="dim" x="{x + 11:.0f}" y="{y:.0f}">{word}</text></g>')
        x += 40 + len(word) * _CHAR
    x += 14
    parts.append(f'<path class="info dot" transform="translate({x:.0f} {y - 4:.0f})" d="M0,-6L6,0L0,6L-6,0Z"/>')
    parts.append(f'<text class="dim" x="{x + 13:.0f}" y="{y:.0f}">a moment</text>')
    x += 96
    parts.append(f'<g class="info"><rect class="bar" x="{x:.0f}" y="{y - 11:.0f}" width="26" height="13" rx="3"/></g>')
    parts.append(f'<text class="dim" x="{x + 34:.0f}" y="{y:.0f}">a stretch of time (dashed: not over yet)</text>')
    return "".join(parts)


def _shorten(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _safe(text: str) -> str:
    # XML 1.0 allows no control characters, not even escaped ones.
    return escape("".join(c if c.isprintable() or c == " " else "\N{REPLACEMENT CHARACTER}" for c in text))
