"""Storms, flaps and resolutions, as they come in: what opens, what joins, what people get, and what checks health."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crisis.domain.alerting import Intake, Maintenance
from crisis.domain.clock import utc_now, write_time
from crisis.domain.correlation import STORM_OVER
from crisis.domain.incident import HANDED_OVER, RECOVERED
from crisis.domain.start import CHECK_HEALTH, HAND_OVER, Start
from crisis.journal.inbox import Delivery
from crisis.journal.store import Journal
from crisis.receiver.afterwards import Afterwards
from crisis.receiver.context import Context
from crisis.receiver.dispatch import calm_down, handle, handle_all, look_afterwards, recall_storm
from crisis.receiver.replaying import replay
from tests.receiver.payloads import alert, delivery
from tests.receiver.test_dispatch import again, kinds, put, state, wanted


def with_services(context: Context, *names: str, **intake: Any) -> Context:
    """Return the context of a company with more services, all like the shop, and its own rules of intake."""
    shop = context.protocol.services["shop"]
    services = {**context.protocol.services, **dict.fromkeys(names, shop)}
    rules = Intake.model_validate(intake)
    return replace(context, protocol=context.protocol.model_copy(update={"services": services, "intake": rules}))


def about(service: str, number: int = 0, status: str = "firing", **labels: str) -> bytes:
    """Return a delivery of a group of its own, of an alert that has just begun, about a service."""
    one = {**alert(status, service=service, **labels), "startsAt": write_time(utc_now())}
    group = f'{{}}:{{service="{service}", n="{number}"}}'
    return delivery({**one, "fingerprint": f"{service}-{number}"}, groupKey=group)


def end(journal: Journal, incident: str, outcome: str, playbook: str = "bad-deploy") -> None:
    """Let the run of an incident end."""
    body = {"run": "r", "playbook": playbook, "outcome": outcome, "says": "so"}
    journal.append(incident, "ended", "responder", body)


def starts_of(found: list[Start]) -> list[tuple[str, str]]:
    """Return playbook and service of each start."""
    return [(one.playbook, one.service) for one in found]


NAMES = [f"s{number}" for number in range(6)]


@pytest.fixture
def stormy(context: Context) -> Context:
    """A company of many services, where more than three groups a minute are a storm."""
    return with_services(context, *NAMES, storm={"groups": 3, "calm": "5m"})


def storm_over(context: Context, names: list[str]) -> list[Start]:
    """Let one alert of each service come in, one delivery after the other, and return what starts."""
    return [one for name in names for one in handle(context, put(context, about(name), f"d-{name}"))]


def test_beyond_so_many_groups_people_are_told_and_no_remedy_starts(stormy: Context, journal: Journal) -> None:
    """The fourth group opens the one storm incident, and the others join it."""
    found = storm_over(stormy, NAMES)

    assert starts_of(found) == [("bad-deploy", name) for name in NAMES[:3]] + [(HAND_OVER, "s3")]
    storm = found[-1]
    assert storm.summary.startswith("alert storm: 4 groups within 1 min 00 s; no remedy starts by itself")
    assert journal.entries(storm.incident)[0].body["storm"] is True
    assert [state(stormy, f"d-{name}") for name in NAMES[4:]] == [("joined", f"belongs to {storm.incident}")] * 2


def test_the_alerts_of_one_group_are_one(stormy: Context) -> None:
    """A thousand alerts that come in three groups are no storm."""
    for number, name in enumerate(NAMES[:3]):
        many = [{**alert(service=name), "fingerprint": f"{name}-{n}"} for n in range(300)]
        handle(stormy, put(stormy, delivery(*many, groupKey=f"g{number}"), f"d{number}"))

    assert starts_of(handle(stormy, put(stormy, about(NAMES[0]), "d-more"))) == []
    assert not stormy.storm.is_excess(3)


def test_a_storm_in_one_batch_is_one_too(stormy: Context) -> None:
    """Everything that waited while we were away comes at once."""
    for name in NAMES:
        put(stormy, about(name), f"d-{name}")
    found = handle_all(stormy, stormy.inbox.new())

    assert starts_of(found) == [("bad-deploy", name) for name in NAMES[:3]] + [(HAND_OVER, "s3")]


def test_a_storm_lasts_until_it_has_been_calm(
    stormy: Context, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then remedies start again, and it stands in the chain."""
    storm = storm_over(stormy, NAMES)[-1]
    calm_down(stormy)
    assert journal.recorded(storm.incident, STORM_OVER) is None

    monkeypatch.setattr("crisis.receiver.dispatch.utc_now", lambda: utc_now() + timedelta(minutes=5.1))
    calm_down(stormy)
    calm_down(stormy)

    assert journal.recorded(storm.incident, STORM_OVER) is not None
    end(journal, storm.incident, HANDED_OVER)
    lull = [write_time(utc_now() + timedelta(minutes=6))]
    body = about("s5", 9)
    stormy.inbox.put_all([Delivery("d-after", "alertmanager", lull[0], body)])
    assert starts_of(handle(stormy, stormy.inbox.latest(1)[0])) == [("bad-deploy", "s5")]


def test_a_start_of_ours_ends_no_storm(stormy: Context) -> None:
    """Who starts in the middle counts what came in just before."""
    storm_over(stormy, NAMES[:3])
    fresh = replace(stormy)
    recall_storm(fresh)

    assert starts_of(handle(fresh, put(fresh, about("s4"), "d-4"))) == [(HAND_OVER, "s4")]
    assert starts_of(handle(replace(stormy), put(stormy, about("s5"), "d-5"))) == []


def test_flaps_are_handed_to_people(context: Context, journal: Journal) -> None:
    """Three runs within the hour; the fourth flap tells people, and the fifth joins what they have in their hands."""
    flapping = with_services(context)
    began = utc_now() + timedelta(minutes=2)
    found = list[list[Start]]()
    for number in range(5):
        flap = {**alert(), "startsAt": write_time(began + timedelta(minutes=number))}
        found.append(handle(flapping, put(flapping, delivery(flap), f"d{number}")))
        for one in found[-1]:
            end(journal, one.incident, RECOVERED if one.playbook == "bad-deploy" else HANDED_OVER)

    assert [starts_of(one) for one in found] == [[("bad-deploy", "shop")]] * 3 + [[(HAND_OVER, "shop")], []]
    assert state(context, "d4") == ("joined", f"belongs to {found[3][0].incident}")


def test_a_worse_alert_raises_the_level_once_and_calls(context: Context, journal: Journal) -> None:
    """A search that fails, then the checkout: the same incident, another level, and its people are called."""
    route = {"when": {"alertname": "FeatureBroken"}, "start": "bad-deploy", "level": 2}
    sender = context.protocol.alerts["alertmanager"]
    routes = (*sender.routes, type(sender.routes[0]).model_validate(route))
    alerts = {"alertmanager": sender.model_copy(update={"routes": routes})}
    two = replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))
    (first,) = handle(two, put(two, about("shop", alertname="FeatureBroken", severity="warning")))
    found = [one for n in (2, 3) for one in handle(two, put(two, about("shop", n), f"d{n}"))]

    assert int(first.level) == 2
    levels = [entry.body["level"] for entry in journal.entries(first.incident) if entry.kind == "level"]
    assert levels == [2, 1]
    assert [(one.playbook, one.incident) for one in found] == [(HAND_OVER, first.incident)]
    assert found[0].key != first.key


def test_the_worst_alert_of_a_delivery_opens(context: Context, journal: Journal) -> None:
    """A group that holds both does not open at the lesser level, to be raised a moment later."""
    route = {"when": {"alertname": "FeatureBroken"}, "start": "bad-deploy", "level": 2}
    sender = context.protocol.alerts["alertmanager"]
    routes = (*sender.routes, type(sender.routes[0]).model_validate(route))
    alerts = {"alertmanager": sender.model_copy(update={"routes": routes})}
    two = replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))
    mild = {**alert(alertname="FeatureBroken"), "fingerprint": "f0"}
    (start,) = handle(two, put(two, delivery(mild, alert())))

    assert int(start.level) == 1
    assert kinds(journal, start.incident) == ["opened", "level", "alert", "alert"]


def resolved(number: int, began: str) -> dict[str, Any]:
    """Return one of the alerts below as it resolves."""
    return {**alert("resolved"), "fingerprint": f"f{number}", "startsAt": began}


@pytest.fixture
def failed(context: Context, journal: Journal) -> tuple[str, str]:
    """Give an incident of two alerts whose run could not prove health, and when they began."""
    began = write_time(utc_now())
    two = [{**alert(), "fingerprint": f"f{number}", "startsAt": began} for number in (1, 2)]
    (start,) = handle(context, put(context, delivery(*two)))
    end(journal, start.incident, "UnprovenError")
    return start.incident, began


def test_the_last_resolution_starts_our_own_look(context: Context, journal: Journal, failed: tuple[str, str]) -> None:
    """One of two is still firing: nothing. Then none is: health is checked, and nothing is closed by the word."""
    incident, began = failed
    assert handle(context, put(context, delivery(resolved(1, began)), "d2")) == []
    (check,) = handle(context, put(context, delivery(resolved(1, began), resolved(2, began)), "d3"))

    assert (check.playbook, check.service, check.incident) == (CHECK_HEALTH, "shop", incident)
    assert context.sightings.firing(incident) == 0
    assert state(context, "d2") == ("joined", f"belongs to {incident}")
    assert kinds(journal, incident)[-2:] == ["alert", "alert"]
    assert [json.loads(one.starts)[0]["playbook"] for one in context.inbox.starting() if one.delivery == "d3"]


def test_both_resolutions_of_one_delivery_start_one_look(context: Context, failed: tuple[str, str]) -> None:
    """Not one for each alert."""
    found = handle(context, put(context, delivery(resolved(1, failed[1]), resolved(2, failed[1])), "d2"))

    assert starts_of(found) == [(CHECK_HEALTH, "shop")]


def test_both_resolutions_of_one_batch_start_one_look(context: Context, failed: tuple[str, str]) -> None:
    """What is not written yet counts as well."""
    for number in (1, 2):
        put(context, delivery(resolved(number, failed[1])), f"d{number + 1}")

    assert starts_of(handle_all(context, context.inbox.new())) == [(CHECK_HEALTH, "shop")]


def test_a_resolution_while_a_run_is_at_work_starts_nothing(context: Context, journal: Journal) -> None:
    """The run proves health itself."""
    (start,) = handle(context, put(context, delivery()))

    assert handle(context, put(context, delivery(alert("resolved")), "d2")) == []
    assert kinds(journal, start.incident) == ["opened", "level", "alert", "alert"]


def test_a_run_that_fails_after_the_last_resolution_is_looked_at(context: Context, journal: Journal) -> None:
    """The sender had its last word while it was at work: nobody else would ever look. Once, also after a restart."""
    (start,) = handle(context, put(context, delivery()))
    handle(context, put(context, delivery(alert("resolved")), "d2"))
    afterwards = Afterwards(context)
    look_afterwards(context, afterwards)
    assert wanted(context, "d2") == []
    end(journal, start.incident, "UnprovenError")
    for one in (afterwards, afterwards, Afterwards(context)):
        look_afterwards(context, one)

    assert wanted(context, "d2") == [CHECK_HEALTH]
    assert state(context, "d2")[0] == "opened"
    context.inbox.started("d2", "check-health")
    end(journal, start.incident, "UnprovenError", CHECK_HEALTH)
    look_afterwards(context, Afterwards(context))
    assert wanted(context, "d2") == []


@pytest.mark.parametrize("how", ["recovered", "still firing"])
def test_what_has_recovered_or_fires_on_is_not_looked_at(context: Context, journal: Journal, how: str) -> None:
    """Health was proved, or the sender will say another word."""
    (start,) = handle(context, put(context, delivery()))
    if how == "recovered":
        handle(context, put(context, delivery(alert("resolved")), "d2"))
    end(journal, start.incident, RECOVERED if how == "recovered" else "UnprovenError")
    context.inbox.started("d1", "bad-deploy")
    look_afterwards(context, Afterwards(context))

    assert [wanted(context, one.delivery) for one in context.inbox.latest() if wanted(context, one.delivery)] == []


def test_a_resolution_after_the_recovery_starts_nothing(context: Context, journal: Journal) -> None:
    """Health was proved."""
    (start,) = handle(context, put(context, delivery()))
    end(journal, start.incident, RECOVERED)

    assert handle(context, put(context, delivery(alert("resolved")), "d2")) == []
    assert state(context, "d2") == ("joined", f"belongs to {start.incident}")


def test_an_alert_without_a_start_resolves_all_the_same(context: Context, journal: Journal) -> None:
    """CloudWatch, Datadog, Pingdom and UptimeRobot do not say when it began, or say when it changed."""
    timeless = {name: value for name, value in alert().items() if name != "startsAt"}
    (start,) = handle(context, put(context, delivery(timeless)))
    end(journal, start.incident, "DeclinedError")
    (check,) = handle(context, put(context, delivery({**timeless, "status": "resolved"}), "d2"))

    assert (check.playbook, check.incident) == (CHECK_HEALTH, start.incident)
    end(journal, start.incident, RECOVERED)
    moment = utc_now() + timedelta(minutes=3)
    context.inbox.put_all([Delivery("d3", "alertmanager", write_time(moment), delivery(timeless))])
    (new,) = handle(context, context.inbox.latest(1)[0])
    assert new.incident != start.incident


def test_what_fires_and_resolves_in_one_delivery_is_over(context: Context, journal: Journal) -> None:
    """A batch of events may tell both: what is over does not keep the last look at health from being taken."""
    (start,) = handle(context, put(context, delivery(alert(), alert("resolved"), alert(fingerprint="other"))))
    end(journal, start.incident, HANDED_OVER)
    (check,) = handle(context, put(context, delivery(alert("resolved", fingerprint="other")), "d2"))

    assert (check.playbook, check.incident) == (CHECK_HEALTH, start.incident)


def test_a_replay_of_an_old_end_ends_nothing_that_began_since(context: Context, journal: Journal) -> None:
    """Some senders do not say of an end what it is the end of: the copy speaks of what fired when it first came."""
    over = {name: value for name, value in alert("resolved").items() if name != "startsAt"}
    (start,) = handle(context, put(context, delivery()))
    handle(context, put(context, delivery(over), "d2"))
    handle(context, put(context, delivery({**alert(), "startsAt": write_time(utc_now())}), "d3"))
    end(journal, start.incident, HANDED_OVER)
    first = next(one for one in context.inbox.latest() if one.delivery == "d2")
    name = replay(journal, first, "grace")

    assert handle(context, next(one for one in context.inbox.latest() if one.delivery == name)) == []
    assert context.sightings.firing(start.incident) == 1


def test_an_echo_without_a_start_joins_once_it_has_resolved(context: Context, journal: Journal) -> None:
    """It is told from a new outage by its resolution alone."""
    timeless = {name: value for name, value in alert().items() if name != "startsAt"}
    (start,) = handle(context, put(context, delivery()))
    end(journal, start.incident, RECOVERED)
    handle(context, put(context, delivery({**timeless, "fingerprint": "echo"}), "d2"))
    handle(context, put(context, delivery({**timeless, "fingerprint": "echo", "status": "resolved"}), "d3"))

    assert state(context, "d2")[0] == "held"
    assert again(context, "d2") == []
    assert state(context, "d2") == ("joined", f"belongs to {start.incident}")


def repeat(context: Context, name: str, minutes: float, sender: str = "alertmanager") -> list[Start]:
    """Let the first alert be repeated some minutes from now."""
    received = write_time(utc_now() + timedelta(minutes=minutes))
    context.inbox.put_all([Delivery(name, sender, received, delivery())])
    return handle(context, next(one for one in context.inbox.latest() if one.delivery == name))


def test_what_fires_on_after_the_recovery_is_handed_to_people(context: Context, journal: Journal) -> None:
    """Our proof and their alert disagree: that is nobody's unless somebody hears of it."""
    (start,) = handle(context, put(context, delivery()))
    end(journal, start.incident, RECOVERED)

    assert repeat(context, "d2", 5) == []
    assert state(context, "d2")[0] == "ignored"
    (told,) = repeat(context, "d3", 7)
    assert (told.playbook, told.incident != start.incident) == (HAND_OVER, True)
    assert (
        told.summary == f"still fires 7 min 00 s after {start.incident} has recovered, as we saw it: " + start.summary
    )
    assert repeat(context, "d4", 8) == []
    assert state(context, "d4") == ("joined", f"belongs to {told.incident}")


def planned(context: Context, until: datetime) -> Context:
    """Return the context while the shop is worked on."""
    work = {"service": "shop", "from": write_time(utc_now() - timedelta(hours=1)), "to": write_time(until)}
    return replace(
        context, protocol=context.protocol.model_copy(update={"maintenance": (Maintenance.model_validate(work),)})
    )


def test_what_still_fires_after_planned_work_opens(
    context: Context, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at when the window ends, although the sender may repeat it in hours alone."""
    until = utc_now() + timedelta(minutes=30)
    working = planned(context, until)
    assert handle(working, put(working, delivery())) == []
    assert state(working, "d1")[0] == "held"
    assert working.inbox.due(until - timedelta(seconds=1)) == []
    assert len(working.inbox.due(until)) == 1

    monkeypatch.setattr("crisis.receiver.judging.utc_now", lambda: until + timedelta(seconds=1))
    (start,) = again(working, "d1")
    assert kinds(journal, start.incident) == ["opened", "level", "alert"]


def test_what_has_resolved_during_planned_work_opens_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what the window is for."""
    until = utc_now() + timedelta(minutes=30)
    working = planned(context, until)
    handle(working, put(working, delivery()))
    handle(working, put(working, delivery(alert("resolved")), "d2"))

    monkeypatch.setattr("crisis.receiver.judging.utc_now", lambda: until + timedelta(seconds=1))
    assert again(working, "d1") == []
    assert state(working, "d1") == ("ignored", "it was resolved while it was held")


def test_one_cause_behind_two_services_is_one_incident(context: Context, journal: Journal) -> None:
    """The payment provider is down: the shop and the blog fail, and one playbook runs."""
    causes = [{"name": "payment provider", "when": {"vendor": "stripe"}}]
    two = with_services(context, "blog", causes=causes)
    found = [one for name in ("shop", "blog") for one in handle(two, put(two, about(name, vendor="stripe"), name))]

    assert starts_of(found) == [("bad-deploy", "shop")]
    assert journal.entries(found[0].incident)[0].body["cause"] == "payment provider"
    assert journal.entries(found[0].incident)[-1].body["because"] == "one cause: payment provider"


def test_what_no_route_fits_starts_what_the_protocol_says_otherwise(context: Context) -> None:
    """For services that are known; nothing is guessed about others."""
    triage = with_services(context, otherwise="triage")
    found = handle(triage, put(triage, about("shop", alertname="Odd", severity="info")))

    assert [(one.playbook, int(one.level)) for one in found] == [("triage", 3)]
    assert handle(triage, put(triage, about("pump", alertname="Odd"), "d2")) == []
    assert state(triage, "d2")[0] == "ignored"


def test_a_damaged_incident_holds_up_its_own_alert_alone(context: Context) -> None:
    """The others of the batch are judged, and the one is tried again."""
    two = with_services(context, "blog")
    (start,) = handle(two, put(two, about("shop")))
    with two.journal.database.writing() as connection:
        for name in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        connection.exec_driver_sql("UPDATE heads SET seq = 'x' WHERE incident = ?", (start.incident,))
    put(two, about("shop", 2), "d2")
    put(two, about("blog"), "d3")
    found = handle_all(two, two.inbox.new())

    assert ("bad-deploy", "blog") in starts_of(found)
    assert state(two, "d2")[0] in ("held", "opened")


def group(size: int, status: str = "firing", began: str = "2026-11-24T03:12:05.534Z") -> bytes:
    """Return a delivery of one group of so many alerts of the shop, which began together."""
    return delivery(*({**alert(status, fingerprint=f"f{n}"), "startsAt": began} for n in range(size)))


def receive_later(context: Context, name: str, raw: bytes, minutes: float) -> list[Start]:
    """Let a delivery come in some minutes from now."""
    received = write_time(utc_now() + timedelta(minutes=minutes))
    context.inbox.put_all([Delivery(name, "alertmanager", received, raw)])
    return handle(context, next(one for one in context.inbox.latest() if one.delivery == name))


def test_a_group_that_fires_on_is_one_incident(context: Context, journal: Journal) -> None:
    """However many alerts it has; planned work holds it as it holds any other."""
    (start,) = handle(context, put(context, group(60)))
    end(journal, start.incident, RECOVERED)
    working = planned(context, utc_now() + timedelta(hours=9))

    assert receive_later(working, "d2", group(60), 240) == []
    assert state(context, "d2")[0] == "held"
    assert receive_later(context, "d3", group(60), 241) == []
    assert starts_of(again(context, "d2")) == [(HAND_OVER, "shop")]
    assert len([name for name in journal.incidents() if name.startswith("INC-")]) == 2


def with_route(context: Context, **route: Any) -> Context:
    """Return the context with one route more."""
    sender = context.protocol.alerts["alertmanager"]
    more = type(sender.routes[0]).model_validate(route)
    alerts = {"alertmanager": sender.model_copy(update={"routes": (*sender.routes, more)})}
    return replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))


BREACH = {"when": {"alertname": "Burglar"}, "start": "security-breach", "level": 1}
MILD = {"when": {"alertname": "Mild"}, "start": "minor-bug", "level": 3}


def test_a_storm_is_raised_aloud_and_hides_no_breach(stormy: Context) -> None:
    """Who decides at the worse level is called; whoever makes a storm must not switch off the answer to a burglar."""
    company = with_route(with_route(stormy, **BREACH), **MILD)
    for name in NAMES[:4]:
        handle(company, put(company, about(name, alertname="Mild"), f"d-{name}"))
    (called,) = handle(company, put(company, about("s4"), "d-4"))
    breach = handle(company, put(company, about("s5", alertname="Burglar"), "d-5"))

    assert (called.playbook, int(called.level)) == (HAND_OVER, 1)
    assert starts_of(breach) == [("security-breach", "s5")]


def test_planned_work_holds_no_breach(context: Context) -> None:
    """Work on the database is no reason to wait for hours."""
    working = planned(with_route(context, **BREACH), utc_now() + timedelta(hours=3))

    assert starts_of(handle(working, put(working, about("shop", alertname="Burglar")))) == [("security-breach", "shop")]


def test_another_alert_of_the_same_moment_is_not_lost(context: Context, journal: Journal) -> None:
    """One that was silenced, and began with the one that opened an incident which has recovered since."""
    (start,) = handle(context, put(context, group(1)))
    end(journal, start.incident, RECOVERED)
    other = delivery({**alert(fingerprint="other"), "startsAt": "2026-11-24T03:12:05.534Z"})
    (new,) = receive_later(context, "d2", other, 15)

    assert new.incident != start.incident
    assert receive_later(context, "d3", other, 16) == []


def test_what_had_joined_is_not_judged_again_with_what_was_held(
    context: Context, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One delivery, two services, planned work on one of them."""
    two = with_services(context, "blog")
    handle(two, put(two, about("shop")))
    until = utc_now() + timedelta(minutes=30)
    work = {"service": "blog", "from": write_time(utc_now() - timedelta(hours=1)), "to": write_time(until)}
    windows = (Maintenance.model_validate(work),)
    working = replace(two, protocol=two.protocol.model_copy(update={"maintenance": windows}))
    began = write_time(utc_now())
    both = [{**alert(service=name, fingerprint=f"f-{name}"), "startsAt": began} for name in ("shop", "blog")]
    handle(working, put(working, delivery(*both), "d2"))
    assert state(working, "d2")[0] == "held"
    (incident,) = [name for name in journal.incidents() if name.startswith("INC-")]
    end(journal, incident, RECOVERED)

    monkeypatch.setattr("crisis.receiver.judging.utc_now", lambda: until + timedelta(seconds=1))
    assert starts_of(again(working, "d2")) == [("bad-deploy", "blog")]


def test_a_holder_that_was_settled_otherwise_speaks_for_nobody(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routes were missing for a moment, and what was held was ignored: the next repeat is judged."""
    until = utc_now() + timedelta(minutes=30)
    working = planned(context, until)
    handle(working, put(working, delivery()))
    nobody = replace(context, protocol=context.protocol.model_copy(update={"alerts": {}}))
    monkeypatch.setattr("crisis.receiver.judging.utc_now", lambda: until + timedelta(seconds=1))
    again(nobody, "d1")
    assert state(context, "d1")[0] == "ignored"

    assert starts_of(receive_later(context, "d2", delivery(), 31)) == [("bad-deploy", "shop")]


def test_health_is_checked_where_the_incident_is(context: Context, journal: Journal) -> None:
    """The last alert may be about another service of the same cause; the check begins at the incident's own."""
    two = with_services(context, "blog", causes=[{"name": "payment", "when": {"vendor": "stripe"}}])
    began = write_time(utc_now())
    told = {
        name: {**alert(service=name, fingerprint=name, vendor="stripe"), "startsAt": began} for name in ("shop", "blog")
    }
    (start,) = handle(two, put(two, delivery(told["shop"])))
    handle(two, put(two, delivery(told["blog"]), "d2"))
    end(journal, start.incident, "UnprovenError")
    handle(two, put(two, delivery({**told["shop"], "status": "resolved"}), "d3"))
    (check,) = handle(two, put(two, delivery({**told["blog"], "status": "resolved"}), "d4"))

    assert starts_of([check]) == [(CHECK_HEALTH, "shop")]
    services = [entry.body["service"] for entry in journal.entries(start.incident) if entry.kind == "alert"]
    assert services == ["shop", "blog", "shop", "blog"]


def test_a_group_of_thousands_resolves_at_once(context: Context, journal: Journal) -> None:
    """One look at health, and no look at all alerts for each of them."""
    (start,) = handle(context, put(context, group(3000)))
    end(journal, start.incident, "UnprovenError")

    assert starts_of(handle(context, put(context, group(3000, "resolved"), "d2"))) == [(CHECK_HEALTH, "shop")]


def test_alerts_beyond_the_fiftieth_are_signs_of_life(context: Context, journal: Journal) -> None:
    """What people have in hand is not taken from them because its chain is full."""
    (start,) = handle(context, put(context, group(55)))
    end(journal, start.incident, HANDED_OVER)
    (more,) = [entry for entry in journal.entries(start.incident) if (entry.key or "").startswith("more:")]

    case = context.cases.opened(start.incident)
    assert case is not None
    assert (case.alerts, case.touched_at >= more.time) == (50, True)


def test_an_alert_that_gets_worse_raises_its_incident(context: Context) -> None:
    """The same alert, the same begin, another severity: who decides now hears of it."""
    two = with_route(context, when={"severity": "warning"}, start="bad-deploy", level=2)
    mild = {**alert(severity="warning"), "startsAt": write_time(utc_now())}
    (start,) = handle(two, put(two, delivery(mild)))
    worse = {**mild, "labels": {**mild["labels"], "severity": "critical"}}
    (called,) = handle(two, put(two, delivery(worse), "d2"))

    assert (called.playbook, called.incident, int(called.level)) == (HAND_OVER, start.incident, 1)
    assert handle(two, put(two, delivery(worse, groupLabels={}), "d3")) == []


def test_what_is_held_makes_no_storm(stormy: Context) -> None:
    """Planned work makes many alerts fire, and that is no reason to leave another service alone."""
    work = {"from": write_time(utc_now() - timedelta(hours=1)), "to": write_time(utc_now() + timedelta(hours=1))}
    windows = tuple(Maintenance.model_validate({"service": name, **work}) for name in NAMES[:5])
    working = replace(stormy, protocol=stormy.protocol.model_copy(update={"maintenance": windows}))

    assert starts_of(storm_over(working, NAMES)) == [("bad-deploy", "s5")]


def test_repeats_make_no_storm_after_a_start(stormy: Context) -> None:
    """A start counts what came for the first time, as one who was there does."""
    storm_over(stormy, NAMES[:2])
    for name in NAMES[:2]:
        for number in range(3):
            raw = next(one.raw for one in stormy.inbox.latest() if one.delivery == f"d-{name}")
            handle(stormy, put(stormy, raw + b" " * (number + 1), f"r-{name}-{number}"))
    fresh = replace(stormy)
    recall_storm(fresh)

    assert fresh.storm.groups == 2


def test_a_clock_that_was_set_back_makes_no_storm(stormy: Context) -> None:
    """What came in the future counts for nothing."""
    now = utc_now()
    for number in range(5):
        stormy.storm.saw(f"future-{number}", now + timedelta(hours=1))

    assert stormy.storm.saw("now", now) == 1
    assert not stormy.storm.is_calm(now)
    assert stormy.storm.is_calm(now + timedelta(minutes=5))


def test_a_cause_joins_no_breach_with_an_outage(context: Context) -> None:
    """What stands apart stands apart."""
    two = with_services(context, "blog", causes=[{"name": "payment", "when": {"vendor": "stripe"}}])
    two = with_route(two, **BREACH)
    handle(two, put(two, about("shop", vendor="stripe")))

    found = handle(two, put(two, about("blog", alertname="Burglar", vendor="stripe"), "d2"))
    assert starts_of(found) == [("security-breach", "blog")]


def test_a_breach_that_was_handed_to_people_is_one_incident(context: Context, journal: Journal) -> None:
    """After too many starts, each further alert belongs to what people have in their hands."""
    two = with_route(with_services(context, flapping={"runs": 1}), **BREACH)
    found = list[Start]()
    for number in range(4):
        began = utc_now() + timedelta(minutes=2 * number + 2)
        one = {**alert(alertname="Burglar", fingerprint=f"b{number}"), "startsAt": write_time(began)}
        found += handle(two, put(two, delivery(one, groupKey=f"g{number}"), f"d{number}"))
        for start in found[-1:]:
            end(journal, start.incident, RECOVERED if start.playbook == "security-breach" else HANDED_OVER)

    assert starts_of(found) == [("security-breach", "shop"), (HAND_OVER, "shop")]


def test_an_alert_of_a_damaged_incident_is_handed_to_people(context: Context, journal: Journal) -> None:
    """Nobody can tell what was done for it: a second remedy would be a guess."""
    (start,) = handle(context, put(context, delivery()))
    with context.journal.database.writing() as connection:
        for name in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        connection.exec_driver_sql("UPDATE entries SET body = '{' WHERE incident = ? AND seq = 2", (start.incident,))
    fresh = replace(context)
    found = handle(fresh, put(fresh, delivery(groupLabels={}), "d2"))

    assert starts_of(found) == [(HAND_OVER, "shop")]
    assert start.incident in found[0].summary
    assert len([name for name in journal.incidents() if name.startswith("INC-")]) == 2
