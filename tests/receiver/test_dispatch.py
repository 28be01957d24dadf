"""What a stored delivery means: it opens an incident, joins one, or is ignored with a reason."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crisis.domain.alerting import AlertRoute
from crisis.domain.clock import utc_now, write_time
from crisis.domain.protocol import Protocol
from crisis.domain.start import Start
from crisis.errors import JournalError
from crisis.journal.inbox import Delivery
from crisis.journal.store import Journal
from crisis.receiver import dispatch, judging
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle
from crisis.receiver.recording import INBOX_CHAIN
from crisis.receiver.routing import Ignored, route
from tests.receiver.conftest import CAPTURED
from tests.receiver.payloads import alert, delivery, read


def put(context: Context, raw: bytes, name: str = "d1", sender: str = "alertmanager") -> Delivery:
    """Put a delivery into the inbox and take it out as the responder does."""
    context.inbox.put(name, sender, raw)
    return next(one for one in context.inbox.latest() if one.delivery == name)


def again(context: Context, name: str) -> list[Start]:
    """Look at a delivery again, as it stands in the inbox now."""
    return handle(context, next(one for one in context.inbox.latest() if one.delivery == name))


def wanted(context: Context, name: str) -> list[str]:
    """Return the runs that are stored with a delivery until they are under way."""
    stored = next(one.starts for one in context.inbox.latest() if one.delivery == name)
    return [Start.from_json(one).playbook for one in json.loads(stored or "[]")]


def kinds(journal: Journal, incident: str) -> list[str]:
    """Return the kinds of an incident's entries."""
    return [entry.kind for entry in journal.entries(incident)]


def state(context: Context, name: str) -> tuple[str, str]:
    """Return what became of a delivery."""
    return next((one.state, one.says) for one in context.inbox.latest() if one.delivery == name)


def test_matching_alert_opens_an_incident(context: Context, journal: Journal) -> None:
    """A firing alert that fits a route opens an incident and asks for its playbook."""
    (start,) = handle(context, put(context, delivery()))

    assert (start.playbook, start.service, int(start.level)) == ("bad-deploy", "shop", 1)
    assert start.incident.startswith("INC-20261124-")
    assert kinds(journal, start.incident) == ["opened", "level", "alert"]
    assert state(context, "d1") == ("opened", f"opens {start.incident}")
    assert wanted(context, "d1") == ["bad-deploy"]


def test_delivery_that_two_processes_took_is_judged_once(context: Context, journal: Journal) -> None:
    """Who comes second finds it decided, records nothing and wants nothing; the wish is stored with it."""
    taken = put(context, delivery())
    first, second = handle(context, taken), handle(replace(context), taken)

    assert (len(first), second) == (1, [])
    assert kinds(journal, first[0].incident) == ["opened", "level", "alert"]
    assert wanted(context, "d1") == ["bad-deploy"]


@pytest.mark.parametrize("trouble", [RuntimeError("no"), AttributeError("no"), OverflowError("no"), KeyError("no")])
@pytest.mark.parametrize("where", ["read", "route"])
def test_a_fault_of_ours_costs_one_delivery_alone(
    context: Context, monkeypatch: pytest.MonkeyPatch, trouble: Exception, where: str
) -> None:
    """Whether it is read or judged: the others beside it open their incident, and the inbox says what is wrong."""
    good, bad = put(context, delivery()), put(context, delivery(alert(fingerprint="bad")), "d2")
    module = {"read": dispatch, "route": judging}[where]
    honest = getattr(module, where)

    def faulty(protocol: Protocol, sender: str, what: Any, *more: Any) -> Any:
        if what == bad.raw or getattr(what, "fingerprint", "") == "bad":
            raise trouble
        return honest(protocol, sender, what, *more)

    monkeypatch.setattr(module, where, faulty)
    (start,) = dispatch.handle_all(context, [good, bad])

    assert start.playbook == "bad-deploy"
    assert state(context, "d2")[0] == {"read": "ignored", "route": "held"}[where]
    assert type(trouble).__name__ in state(context, "d2")[1]


def test_incidents_of_an_earlier_world_take_nothing_in(context: Context, journal: Journal) -> None:
    """Each drill has services of its own: what befell those of another drill says nothing about them."""
    (first,) = handle(context, put(context, delivery()))
    later = context.settings.model_copy(update={"incidents_since": utc_now()})
    fresh = replace(context, settings=later)
    (second,) = handle(fresh, put(fresh, delivery(alert(fingerprint="f2"), groupKey="g2"), "d2"))

    assert first.incident != second.incident
    assert second.playbook == "bad-deploy"
    assert kinds(journal, first.incident) == ["opened", "level", "alert"]


class _Halted(Exception):  # noqa: N818 - it stands for a crash, not for an error
    pass


class _Halting(Journal):
    """A journal whose process dies after so many entries."""

    left = 0

    def append(self, *arguments: object, **named: object) -> None:  # type: ignore[override]
        if self.left == 0:
            raise _Halted
        self.left -= 1
        super().append(*arguments, **named)  # type: ignore[arg-type]


@pytest.mark.parametrize("entries", [0, 1, 2])
def test_crash_in_the_middle_leaves_nothing(context: Context, journal: Journal, entries: int) -> None:
    """Stopped after any entry, nothing of it is kept, and the second handling makes the one incident."""
    taken = put(context, delivery())
    halting = _Halting(journal.database)
    halting.left = entries
    with pytest.raises(_Halted):
        handle(replace(context, journal=halting), taken)
    assert (state(context, "d1"), journal.incidents()) == (("new", ""), [])
    (start,) = handle(context, taken)

    assert kinds(journal, start.incident) == ["opened", "level", "alert"]
    assert len([name for name in journal.incidents() if name.startswith("INC-")]) == 1


def test_later_alert_joins_the_open_incident(context: Context, journal: Journal) -> None:
    """An alert with another start joins the open incident of its service and playbook."""
    (start,) = handle(context, put(context, delivery()))
    later = {**alert(fingerprint="f2"), "startsAt": "2026-11-24T03:14:00Z"}

    assert handle(context, put(context, delivery(later), "d2")) == []
    assert kinds(journal, start.incident) == ["opened", "level", "alert", "alert"]
    assert state(context, "d2") == ("joined", f"belongs to {start.incident}")


def test_repeat_of_the_group_starts_nothing(context: Context, journal: Journal) -> None:
    """The same group sent again with one alert more joins; what is known is not recorded again."""
    (start,) = handle(context, put(context, delivery()))
    handle(context, put(context, delivery(alert(), alert(fingerprint="f2")), "d2"))

    assert kinds(journal, start.incident) == ["opened", "level", "alert", "alert"]


@pytest.mark.parametrize(("playbook", "joins"), [("api-outage", True), ("security-breach", False)])
def test_two_remedies_do_not_start_beside_each_other(
    context: Context, journal: Journal, playbook: str, joins: bool
) -> None:
    """A service whose incident has just begun takes the alert in; a breach is never one with an outage."""
    opened = {"service": "shop", "playbook": playbook, "source": "cli", "summary": "by hand"}
    journal.append("INC-20261124-000000", "opened", "cli", opened, key="opened")
    starts = handle(context, put(context, delivery()))

    assert [start.incident for start in starts if start.incident == "INC-20261124-000000"] == []
    assert len(starts) == (0 if joins else 1)
    assert kinds(journal, "INC-20261124-000000") == (["opened", "alert"] if joins else ["opened"])


def test_two_alerts_of_one_delivery_open_one_incident(context: Context, journal: Journal) -> None:
    """Alerts that began at different seconds are one incident of one service."""
    second = {**alert(fingerprint="f2"), "startsAt": "2026-11-24T03:12:09Z"}
    taken = put(context, delivery(alert(), second))
    starts = handle(context, taken)

    assert len(starts) == 1
    assert kinds(journal, starts[0].incident) == ["opened", "level", "alert", "alert"]


def test_resolved_alert_closes_nothing(context: Context, journal: Journal) -> None:
    """That the sender sees no problem any more is noted, and the incident stays open."""
    (start,) = handle(context, put(context, delivery()))
    handle(context, put(context, delivery(alert("resolved")), "d2"))

    assert kinds(journal, start.incident) == ["opened", "level", "alert", "alert"]
    assert journal.entries(start.incident)[-1].body["status"] == "resolved"


def test_repeat_after_the_end_starts_nothing(context: Context, journal: Journal) -> None:
    """The alert that opened an incident does not open it again once it is over."""
    (start,) = handle(context, put(context, delivery()))
    journal.append(start.incident, "ended", "responder", {"run": "r", "playbook": "bad-deploy", "outcome": "recovered"})

    assert handle(context, put(context, delivery(groupLabels={}), "d2")) == []
    assert state(context, "d2")[0] == "ignored"


RECOVERED = {"run": "r", "playbook": "bad-deploy", "outcome": "recovered"}


def later(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    """Let the dispatcher look at the clock some minutes from now."""
    monkeypatch.setattr("crisis.receiver.judging.utc_now", lambda: utc_now() + timedelta(minutes=minutes))


def test_new_flap_after_the_end_starts_again(context: Context, journal: Journal) -> None:
    """What begins a good while after the end is a new incident."""
    (start,) = handle(context, put(context, delivery()))
    journal.append(start.incident, "ended", "responder", RECOVERED)
    flap = {**alert(), "startsAt": write_time(utc_now() + timedelta(minutes=2))}
    (new,) = handle(context, put(context, delivery(flap), "d2"))

    assert new.incident != start.incident


@pytest.mark.parametrize("began", [timedelta(seconds=-1), timedelta(seconds=5)], ids=["before", "after"])
def test_alert_around_the_end_is_held(context: Context, journal: Journal, began: timedelta) -> None:
    """An alert such as one of our own maintenance page opens nothing new, and joins once it has resolved."""
    (start,) = handle(context, put(context, delivery()))
    journal.append(start.incident, "ended", "responder", RECOVERED)
    late = {**alert(journey="login"), "startsAt": write_time(utc_now() + began), "fingerprint": "1dec5b9ccfc77624"}
    held = put(context, delivery(late), "d2")

    assert handle(context, held) == []
    assert state(context, "d2")[0] == "held"
    assert [one.delivery for one in context.inbox.held()] == ["d2"]

    assert handle(context, put(context, delivery({**late, "status": "resolved"}), "d3")) == []
    assert again(context, "d2") == []
    assert state(context, "d2") == ("joined", f"belongs to {start.incident}")
    assert kinds(journal, start.incident)[-3:] == ["ended", "alert", "alert"]


def test_alert_around_the_end_that_stays_opens_its_own(
    context: Context, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What still fires minutes after the end was no echo of it, even if the sender never repeats it."""
    (start,) = handle(context, put(context, delivery()))
    journal.append(start.incident, "ended", "responder", RECOVERED)
    stays = {**alert(), "startsAt": write_time(utc_now() + timedelta(seconds=5))}
    held = put(context, delivery(stays), "d2")
    handle(context, held)

    later(monkeypatch, 5.9)
    assert again(context, "d2") == []
    later(monkeypatch, 6.1)
    (new,) = again(context, "d2")

    assert new.incident != start.incident
    assert kinds(journal, new.incident) == ["opened", "level", "alert"]


def test_alert_after_a_failed_run_is_not_held(
    context: Context, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containment stays on after a run that failed, and people know: its alerts are theirs, however long they last."""
    (start,) = handle(context, put(context, delivery()))
    began = write_time(utc_now())
    journal.append(start.incident, "ended", "responder", RECOVERED | {"outcome": "UnprovenError"})
    late = put(context, delivery({**alert(), "startsAt": began}), "d2")

    later(monkeypatch, 60)
    assert handle(context, late) == []
    assert state(context, "d2") == ("joined", f"belongs to {start.incident}")


def test_incident_that_was_started_again_takes_its_alerts_in(context: Context, journal: Journal) -> None:
    """A run that somebody tries again after its end is open again, also for who saw it end."""
    (start,) = handle(context, put(context, delivery()))
    ended = {"run": "r", "playbook": "bad-deploy", "outcome": "DeclinedError"}
    journal.append(start.incident, "ended", "responder", ended)
    handle(context, put(context, delivery(groupLabels={}), "d2"))
    journal.append(start.incident, "started", "responder", {"run": "r", "playbook": "bad-deploy", "start": 2})
    flap = {**alert(), "startsAt": write_time(utc_now())}

    assert handle(context, put(context, delivery(flap), "d3")) == []
    assert state(context, "d3") == ("joined", f"belongs to {start.incident}")


@pytest.fixture
def damaged(context: Context, journal: Journal) -> str:
    """Break an entry of an old incident in the database itself, past the triggers."""
    opened = {"service": "shop", "playbook": "bad-deploy", "source": "cli", "summary": "long ago"}
    journal.append("INC-20250101-000000", "opened", "cli", opened, key="opened")
    with context.journal.database.writing() as connection:
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
        for name in found:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        connection.exec_driver_sql("UPDATE entries SET body = '{'")
    return "INC-20250101-000000"


@pytest.mark.usefixtures("damaged")
def test_damaged_old_incident_stops_no_alert(context: Context, journal: Journal) -> None:
    """A chain that cannot be read takes no alert in, and the alert opens its own incident."""
    (start,) = handle(context, put(context, delivery()))

    assert kinds(journal, start.incident) == ["opened", "level", "alert"]


def test_damaged_incident_is_warned_of_once(context: Context, damaged: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the chain at the first alert, and not again at each later one."""
    with caplog.at_level(logging.WARNING, "crisis.receiver.dispatch"):
        handle(context, put(context, delivery()))
        handle(context, put(context, delivery({**alert(), "startsAt": write_time(utc_now())}), "d2"))

    assert [damaged in record.getMessage() for record in caplog.records] == [True]


def test_rehearsal_is_recorded_as_one(context: Context, journal: Journal) -> None:
    """What a receiver of a drill opens says that it is a drill."""
    rehearsed = replace(context, settings=context.settings.model_copy(update={"drill": True}))
    (start,) = handle(rehearsed, put(rehearsed, delivery()))

    assert journal.entries(start.incident)[0].body["drill"] is True


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (delivery(alert(severity="warning")), "no route of alertmanager fits the alert JourneyFailing"),
        (delivery(alert(service="pump")), "pump, which is no service of the protocol"),
        (delivery(alert(service="")), "names no service"),
        (delivery(alert("resolved")), "is resolved, and no incident is open"),
        (delivery(alerts=[]), "it holds no alert"),
        (b"{", "cannot be read: the body is no JSON"),
    ],
)
def test_what_starts_nothing_is_settled_with_why(context: Context, journal: Journal, raw: bytes, why: str) -> None:
    """A delivery that starts nothing is ignored in the inbox, and its reason is in the journal once."""
    taken = put(context, raw)

    assert handle(context, taken) == []
    assert handle(context, taken) == []
    assert state(context, "d1")[0] == "ignored"
    assert why in state(context, "d1")[1]
    (note,) = journal.entries(INBOX_CHAIN)
    assert why in note.body["says"]


def test_sender_that_left_the_protocol_is_ignored(context: Context) -> None:
    """A stored delivery of a sender that is no longer in the protocol starts nothing."""
    assert handle(context, put(context, delivery(), sender="gone")) == []
    assert state(context, "d1") == ("ignored", "gone is no sender of the protocol")


def test_alert_without_a_start_uses_the_time_it_came(context: Context) -> None:
    """Where the sender says no start, the time of the delivery stands in; it joins while its incident is open."""
    nameless = {name: value for name, value in alert().items() if name not in ("startsAt", "fingerprint")}
    (start,) = handle(context, put(context, delivery(nameless)))
    handle(context, put(context, delivery(nameless), "d2"))

    assert start.incident.startswith(f"INC-{utc_now():%Y%m%d}")
    assert state(context, "d2") == ("joined", f"belongs to {start.incident}")


def test_route_may_name_the_service(context: Context) -> None:
    """The route's service counts before the alert's label."""
    fixed = AlertRoute(when={"alertname": "JourneyFailing"}, start="bad-deploy", service="shop")
    sender = context.protocol.alerts["alertmanager"].model_copy(update={"routes": (fixed,)})
    protocol = context.protocol.model_copy(update={"alerts": {"alertmanager": sender}})
    (found,) = read(delivery(alert(service="pump")))

    assert isinstance(route(protocol, "alertmanager", found), Start)
    assert isinstance(route(context.protocol, "alertmanager", found), Ignored)


def test_lost_journal_is_said(context: Context) -> None:
    """When the journal cannot be written the caller learns it, and the delivery stays new."""
    taken = put(context, delivery())
    with context.journal.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE heads")
    with pytest.raises(JournalError):
        handle(context, taken)

    assert state(context, "d1")[0] == "new"


def test_hostile_names_are_cut_before_they_are_recorded(context: Context, journal: Journal) -> None:
    """Endless labels and fingerprints cannot blow up an entry or its key."""
    huge = alert(fingerprint="f\x00" * 5000, **{f"label{n:03d}": "x" * 5000 for n in range(200)})
    (start,) = handle(context, put(context, delivery(huge)))
    entry = journal.entries(start.incident)[-1]

    assert len(json.dumps(dict(entry.body))) < 64 * 600
    assert len(entry.key or "") < 120


def test_captured_deliveries_are_ignored_with_a_reason(context: Context) -> None:
    """What a real Alertmanager sent about services we do not have starts nothing."""
    captured = CAPTURED / "alertmanager" / "firing.raw"
    if not captured.exists():
        pytest.skip(f"{captured.name} of the captured webhooks is not here")

    assert handle(context, put(context, captured.read_bytes())) == []
    assert "no route of alertmanager fits the alert ServiceDown" in state(context, "d1")[1]


def test_one_group_about_two_services_opens_two_incidents(context: Context, journal: Journal) -> None:
    """Alerts of one group and one moment are told apart by their service; each gets its own playbook."""
    blog = context.protocol.services["shop"].model_copy()
    services = {**context.protocol.services, "blog": blog}
    both = replace(context, protocol=context.protocol.model_copy(update={"services": services}))
    other = alert(service="blog") | {"fingerprint": "1dec5b9ccfc77624"}
    starts = handle(both, put(both, delivery(alert(), other)))

    assert sorted(start.service for start in starts) == ["blog", "shop"]
    assert len({start.incident for start in starts}) == 2
    opened = [journal.entries(start.incident)[0].body["service"] for start in starts]
    assert opened == [start.service for start in starts]


def test_thousands_of_alerts_of_one_cause_are_counted(context: Context, journal: Journal) -> None:
    """The first fifty stand in the chain, all of them are known, and one note a minute says that there are more."""
    many = [alert() | {"fingerprint": f"{number:016x}"} for number in range(2000)]
    (start,) = handle(context, put(context, delivery(*many)))
    entries = journal.entries(start.incident)

    assert [entry.kind for entry in entries].count("alert") == 50
    assert context.sightings.total(start.incident) == 2000
    notes = [str(entry.body["says"]) for entry in entries if entry.kind == "note"]
    assert set(notes) == {"more alerts than 50 have joined; they are listed in the inbox"}


def test_a_delivery_that_starts_one_thing_is_held_for_another(context: Context, journal: Journal) -> None:
    """One group, two services: an echo of what is over for one, news for the other. Neither is lost."""
    blog = context.protocol.services["shop"]
    two = context.protocol.model_copy(update={"services": {**context.protocol.services, "blog": blog}})
    both = replace(context, protocol=two)
    (first,) = handle(both, put(both, delivery()))
    journal.append(first.incident, "ended", "responder", RECOVERED)
    echo = {**alert(), "startsAt": write_time(utc_now() + timedelta(seconds=5))}
    news = {**alert(fingerprint="b1"), "startsAt": write_time(utc_now() + timedelta(seconds=5))}
    news["labels"] = {**news["labels"], "service": "blog"}
    mixed = put(both, delivery(echo, news), "d2")
    (start,) = handle(both, mixed)
    both.inbox.started("d2", "bad-deploy for the blog")

    assert start.service == "blog"
    assert state(both, "d2")[0] == "held"
    resolved = [{**one, "status": "resolved"} for one in (echo, news)]
    handle(both, put(both, delivery(*resolved), "d3"))
    assert again(both, "d2") == []
    assert state(both, "d2")[0] == "joined"
    assert {first.incident, start.incident} == set(state(both, "d2")[1].removeprefix("belongs to ").split(", "))
