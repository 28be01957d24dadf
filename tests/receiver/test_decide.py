"""The decision page: GET shows, POST decides, and only a one-time code proves who answers."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crisis.domain.clock import parse_time, utc_now
from crisis.domain.level import Level
from crisis.domain.person import PEOPLE, STRIKES
from crisis.domain.protocol import Away
from crisis.receiver.context import Context
from tests.domain.story import INCIDENT, RUN, a_plan
from tests.receiver.conftest import Browser, Room, code_of, yes


def test_page_says_everything_that_matters(browser: Browser, room: Room) -> None:
    """Service, level, what happened, plan, blast radius, no, silence and people stand on the page."""
    html = browser.send("GET", room.ask()).text

    for words in (
        "Defcon 1 (critical)",
        "checkout answers 500",
        "a new commit on main that takes 4f2c81d back, released",
        "the build of 91be02a serves",
        "All customers of shop: bundle hints disappear",
        "Fix forward was refused",
        "<strong>40 s</strong>",
        "The shop stays on the maintenance page and the run ends",
        "nothing is done and the run stops",
        "Ada Okafor (CTO)",
        "Ben Lindqvist (lead developer)",
        'inputmode="numeric" autocomplete="one-time-code"',
    ):
        assert words in html


def test_page_says_that_silence_proceeds(browser: Browser, room: Room) -> None:
    """Where silence means yes, the page says which way is taken."""
    html = browser.send("GET", room.ask(silence="proceed")).text

    assert "<code>revert</code> goes ahead" in html


def test_page_is_kept_nowhere_and_runs_nothing_foreign(browser: Browser, room: Room) -> None:
    """The policy admits only the page's own style and script, under a nonce that is new each time."""
    path = room.ask()
    first, second = browser.send("GET", path), browser.send("GET", path)
    policy = first.headers["Content-Security-Policy"]
    nonces = set(re.findall(r"'nonce-([^']+)'", policy))

    assert policy.startswith("default-src 'none'")
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert nonces == set(re.findall(r'nonce="([^"]+)"', first.text))
    assert nonces.isdisjoint(re.findall(r'nonce="([^"]+)"', second.text))
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert "samesite=strict" in first.headers["Set-Cookie"].lower()
    assert " style=" not in first.text
    assert not re.search(r"\son\w+=", first.text)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_decides_nothing(browser: Browser, room: Room, method: str) -> None:
    """GET and HEAD change nothing, even with a whole answer in the address and a prefetch header."""
    path = room.ask()
    before = room.entries()
    answer = browser.send(method, path, params=yes(), headers={"Purpose": "prefetch"})

    assert answer.status_code == 200
    assert room.entries() == before


def test_good_answer_decides(browser: Browser, room: Room) -> None:
    """A person who is asked and proves it decides; the page says so, and so does the page afterwards."""
    path = room.ask()
    answer = browser.answer(path, **yes(reason="main must be clean"))

    assert answer.status_code == 200
    assert "Approved: <code>revert</code>" in answer.text
    (decided,) = room.entries("decided")
    assert (decided.actor, decided.body["choice"]) == ("ada", "revert")
    after = browser.send("GET", path).text
    assert "Approved: <code>revert</code>" in after
    assert "<form" not in after


def test_second_way_can_be_chosen(browser: Browser, room: Room) -> None:
    """The answer that is not recommended counts as well."""
    browser.answer(room.ask(), **yes("ben", answer="roll-back"))

    assert room.entries("decided")[0].body["choice"] == "roll-back"


def test_no_declines(browser: Browser, room: Room) -> None:
    """A no ends the question, and what then happens is said."""
    answer = browser.answer(room.ask(), **yes(answer="no"))

    assert answer.status_code == 200
    assert "Declined" in answer.text
    assert "Nothing of this plan will be carried out" in answer.text


def test_first_of_two_waits_for_the_second(browser: Browser, room: Room) -> None:
    """Where two must agree, the first yes is recorded and the second decides."""
    path = room.ask(needed=2)
    first = browser.answer(path, **yes())

    assert first.status_code == 200
    assert "1 more person must agree" in first.text
    assert room.entries("decided") == []
    assert "answered <code>revert</code>" in browser.send("GET", path).text
    assert "Approved" in browser.answer(path, **yes("ben")).text


def test_people_who_disagree_are_told_so(browser: Browser, room: Room) -> None:
    """Two who chose differently do not add up: both pages say who said what, and that it can still be changed."""
    path = room.ask(needed=2)
    browser.answer(path, **yes())
    second = browser.answer(path, **yes("ben", answer="roll-back"))

    for html in (second.text, browser.send("GET", path).text):
        assert "Those who answered disagree" in html
        assert "<li>Ada Okafor (CTO): <code>revert</code></li>" in html
        assert "<li>Ben Lindqvist (lead developer): <code>roll-back</code></li>" in html
        assert "2 people must say the same; 1 more is missing" in html
        assert f'<a href="{path}">change their answer</a>, until <time' in html
    after = code_of("ben", ago=-30)
    changed = browser.answer(path, **yes("ben", code=after))
    assert "Approved: <code>revert</code>" in changed.text


def test_of_three_who_must_agree_the_most_are_counted(context: Context, room: Room) -> None:
    """Two who agree and one who does not: one more is missing, not none."""
    first = context.protocol.levels[Level.CRITICAL].model_copy(update={"decision_makers": ("ada", "ben", "cleo")})
    levels = {**context.protocol.levels, Level.CRITICAL: first}
    browser = Browser(replace(context, protocol=context.protocol.model_copy(update={"levels": levels})))
    path = room.ask(needed=3, people=["ada", "ben", "cleo"])
    alone = browser.answer(path, **yes())
    browser.answer(path, **yes("ben"))
    third = browser.answer(path, **yes("cleo", answer="roll-back"))

    assert "2 more people must agree" in alone.text
    assert "Those who answered disagree" in third.text
    assert "3 people must say the same; 1 more is missing" in third.text


def test_a_vote_that_we_did_not_mark_is_missing(browser: Browser, room: Room) -> None:
    """A row that somebody wrote past us brings nobody nearer to an agreement."""
    path = room.ask(needed=2)
    forged = {"run": RUN, "gate": "revert", "hash": a_plan().hash, "answer": "revert", "how": "page", "reason": ""}
    room.journal.append(INCIDENT, "voted", "ben", forged)

    assert "1 more person must agree" in browser.answer(path, **yes()).text


def test_pressing_twice_is_pressing_once(browser: Browser, room: Room) -> None:
    """The same answer sent again, before or after the decision, is accepted and changes nothing; nobody is let in."""
    path = room.ask(needed=2)
    fields = yes(reason="main must be clean, says 123456")
    browser.answer(path, **fields)
    again = browser.answer(path, **fields)
    hidden = {"plan": a_plan().hash, "token": browser.cookies["crisis_form"], "reason": ""}
    last = yes("ben")
    browser.answer(path, **last)
    after = browser.send("POST", path, data={**hidden, **last})

    assert (again.status_code, after.status_code) == (200, 200)
    assert "Your answer <code>revert</code> was recorded" in again.text
    assert "1 more person must agree" in again.text
    assert "Approved: <code>revert</code>" in after.text
    assert "crisis_session" not in again.headers.get("Set-Cookie", "") + after.headers.get("Set-Cookie", "")
    assert [entry.actor for entry in room.entries("voted")] == ["ada", "ben"]


@pytest.mark.parametrize("other", [{"answer": "roll-back"}, {"reason": "another"}, {"person": "ben"}])
def test_another_answer_with_a_used_code_is_refused(browser: Browser, room: Room, other: dict[str, str]) -> None:
    """Only what stands already is taken as a repeat."""
    path = room.ask(needed=2)
    fields = yes()
    browser.answer(path, **fields)

    assert browser.answer(path, **{**fields, **other}).status_code == 403


def test_a_repeat_after_the_deadline_says_so(browser: Browser, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands but has too few beside it is not said to be waiting any more."""
    path = room.ask(needed=2)
    fields = yes()
    browser.answer(path, **fields)
    hidden = {"plan": a_plan().hash, "token": browser.cookies["crisis_form"], "reason": ""}
    later = utc_now() + timedelta(hours=1)
    monkeypatch.setattr("crisis.receiver.question.utc_now", lambda: later)
    monkeypatch.setattr("crisis.engine.votes.utc_now", lambda: later)

    assert browser.send("POST", path, data={**hidden, **fields}).status_code == 409


def test_the_countdown_knows_the_time_of_the_server(browser: Browser, room: Room) -> None:
    """A phone's clock may be off: the page brings the time along with the deadline, and counts by the difference."""
    before = utc_now()
    html = browser.send("GET", room.ask()).text
    found = re.search(r'id="left" data-deadline="[^"]+" data-now="([^"]+)"', html)

    assert found
    assert timedelta() <= parse_time(found[1]) - before < timedelta(seconds=10)
    assert "end - Date.now() - skew" in html


def test_spaces_in_the_code_do_not_matter(browser: Browser, room: Room) -> None:
    """A code pasted as "123 456" is the code."""
    code = code_of("ada")

    assert browser.answer(room.ask(), **yes(code=f" {code[:3]} {code[3:]} ")).status_code == 200


@pytest.mark.parametrize("ago", [120, -120])
def test_late_and_early_codes_prove_nothing(browser: Browser, room: Room, ago: float) -> None:
    """A code of another time is refused, and the form keeps what was typed."""
    answer = browser.answer(room.ask(), **yes(code=code_of("ada", ago=ago), reason="kept words"))

    assert answer.status_code == 403
    assert "wrong or outdated code" in answer.text
    assert "kept words</textarea>" in answer.text
    assert '<option value="ada" selected>' in answer.text
    assert room.entries("decided") == []


def test_code_is_good_once(browser: Browser, room: Room) -> None:
    """A code that was used at one question is refused at the next."""
    fields = yes()
    browser.answer(room.ask(), **fields)
    again = browser.answer(room.ask(a_plan("Another question?")), **fields)

    assert again.status_code == 403
    assert "used already" in again.text


def test_five_wrong_codes_lock(browser: Browser, room: Room) -> None:
    """After five wrong codes even the right one is refused, for a while."""
    path = room.ask()
    for _ in range(STRIKES):
        browser.answer(path, **yes(code=code_of("ada", ago=3600)))
    answer = browser.answer(path, **yes())

    assert answer.status_code == 403
    assert "locked after 5 wrong codes" in answer.text
    assert browser.answer(path, **yes("ben")).status_code == 200


@pytest.mark.parametrize(
    ("who", "says"), [("dan", "is not asked"), ("mallory", "is not asked"), ("ada' OR 1", "is not")]
)
def test_others_cannot_answer(browser: Browser, room: Room, who: str, says: str) -> None:
    """Somebody who is not asked is refused, with a valid code or without."""
    answer = browser.answer(room.ask(), **yes(person=who, code=code_of("dan")))

    assert answer.status_code == 403
    assert says in answer.text


def test_requester_cannot_approve(browser: Browser, room: Room) -> None:
    """Who started the run is not offered on the form, and is refused when they answer all the same."""
    path = room.ask(requester="ada")
    html = browser.send("GET", path).text
    answer = browser.answer(path, **yes())

    assert '<option value="ada"' not in html
    assert "started this run and cannot approve it" in html
    assert answer.status_code == 403
    assert "cannot approve it" in answer.text


def test_html_in_a_reason_is_text(browser: Browser, room: Room) -> None:
    """Markup in a reason is shown as it was typed and never becomes part of a page."""
    attack = "</textarea><script>alert(1)</script>\"'"
    path = room.ask()
    refused = browser.answer(path, **yes(code="000000", reason=attack))
    accepted = browser.answer(path, **yes(reason=attack))

    for html in (refused.text, accepted.text, browser.send("GET", path).text):
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html
    for view in ("", "/report.md", "/timeline.svg"):
        assert "<script>alert" not in browser.send("GET", f"/incidents/{INCIDENT}{view}").text


def test_answer_to_an_outdated_plan_is_refused(browser: Browser, room: Room) -> None:
    """When the plan changes while somebody reads, their answer is answered 409 and the new plan is shown."""
    path = room.ask()
    old = a_plan().hash
    room.ask(a_plan("Take release 5a5a back?"))
    answer = browser.answer(path, **yes(plan=old))

    assert answer.status_code == 409
    assert "the plan has changed" in answer.text
    assert "Take release 5a5a back?" in answer.text
    assert room.entries("voted") == []


def test_decided_question_takes_no_answer(browser: Browser, room: Room) -> None:
    """Who comes second sees what was decided, with status 409."""
    path = room.ask()
    token = re.findall(r'name="token" value="([^"]+)"', browser.send("GET", path).text)[0]
    browser.answer(path, **yes())
    late = browser.send("POST", path, data={**yes("ben"), "reason": "", "plan": a_plan().hash, "token": token})

    assert late.status_code == 409
    assert "decided already" in late.text
    assert "Approved: <code>revert</code>" in late.text


def test_answer_after_the_deadline_is_refused(browser: Browser, room: Room) -> None:
    """When the time is over the form is gone, and an answer that was under way does not count."""
    path = room.ask(wait=-1)
    page = browser.send("GET", path)
    token = browser.cookies["crisis_form"]
    late = browser.send("POST", path, data={**yes(), "reason": "", "plan": a_plan().hash, "token": token})

    assert "The time to answer is over" in page.text
    assert "<form" not in page.text
    assert late.status_code == 409
    assert room.entries("voted") == []


def test_question_of_an_ended_run_is_closed(browser: Browser, room: Room) -> None:
    """When the run is over the page says that nothing waits any more."""
    path = room.ask()
    room.journal.append(INCIDENT, "ended", "responder", {"run": RUN, "playbook": "bad-deploy", "outcome": "failed"})
    html = browser.send("GET", path).text

    assert "The run has ended" in html
    assert "<form" not in html


@pytest.mark.parametrize("outcome", ["silence: proceed", "silence: stop"])
def test_silence_is_shown_as_silence(browser: Browser, room: Room, outcome: str) -> None:
    """An outcome of silence is shown as nobody's answer."""
    path = room.ask()
    where = {"run": RUN, "gate": "revert", "hash": a_plan().hash, "choice": "revert" if "proceed" in outcome else ""}
    decided = {**where, "outcome": outcome, "by": [], "reason": "nobody answered in time"}
    room.journal.append(INCIDENT, "decided", "silence", decided)
    html = browser.send("GET", path).text

    assert "No answer came in time" in html
    assert "nobody&#39;s answer" in html or "nobody's answer" in html


@pytest.mark.parametrize(
    "path",
    [
        f"/decide/{INCIDENT}/{RUN}/other",
        f"/decide/{INCIDENT}/other/revert",
        f"/decide/INC-20200101-000000/{RUN}/revert",
        f"/decide/PEOPLE/{RUN}/revert",
        "/decide/%00/%00/%00",
        "/decide/%3Cscript%3E/x/y",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_question_is_not_found(browser: Browser, room: Room, path: str, method: str) -> None:
    """What was never asked is answered 404 with what to do, and nothing of the address becomes markup."""
    room.ask()
    answer = browser.send(method, path)

    assert answer.status_code == 404
    assert "All incidents" in answer.text
    assert "<script>" not in answer.text


def test_unreadable_secret_is_said_without_it(browser: Browser, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the proof of a person cannot be checked the page says come again, and decides nothing."""
    path, fields = room.ask(), yes()
    monkeypatch.delenv("CRISIS_SANDBOX_TOTP_ADA")
    answer = browser.answer(path, **fields)

    assert answer.status_code == 503
    assert room.entries("voted") == []


def test_a_change_can_be_asked_for(browser: Browser, room: Room) -> None:
    """With a reason it ends the question; without one it costs no code."""
    path = room.ask()
    bare = browser.answer(path, **yes(answer="change", reason="  "))
    answer = browser.answer(path, **yes(answer="change", reason="not before ten"))

    assert bare.status_code == 422
    assert "say in the reason what should be different" in bare.text
    assert "A change was asked for" in answer.text
    assert "“not before ten”" in answer.text
    assert room.entries("decided")[0].body["outcome"] == "change asked"
    assert "A change was asked for" in browser.send("GET", path).text


def test_no_is_worded_as_a_stop(browser: Browser, room: Room) -> None:
    """A no asks for objections and says what it does."""
    assert "Any strong objection? Stop: it ends the wait" in browser.send("GET", room.ask()).text


def changed(context: Context, who: str, **update: Any) -> Context:
    """Return a receiver whose protocol says something else of a person."""
    person = context.protocol.people[who].model_copy(update=update)
    people = {**context.protocol.people, who: person}
    return replace(context, protocol=context.protocol.model_copy(update={"people": people}))


def test_who_cannot_answer_is_shown_with_the_reason(context: Context, room: Room) -> None:
    """Away, locked, excluded: each of them is named, and only who can answer is offered."""
    now = utc_now()
    away = Away.model_validate({"from": now - timedelta(days=1), "to": now + timedelta(days=1)})
    first = context.protocol.levels[Level.CRITICAL].model_copy(update={"decision_makers": ("ada", "ben", "cleo")})
    levels = {**context.protocol.levels, Level.CRITICAL: first}
    three = replace(context, protocol=context.protocol.model_copy(update={"levels": levels}))
    browser = Browser(changed(three, "ben", away=(away,)))
    path = room.ask(people=["cleo"], excluded=["ada"], requester="ada")
    for _ in range(STRIKES):
        room.journal.append(PEOPLE, "code refused", "cleo", {"because": "wrong", "incident": INCIDENT})
    html = browser.send("GET", path).text

    assert "Ada Okafor (CTO): <strong>started this run and cannot approve it</strong>" in html
    assert f"Ben Lindqvist (lead developer): <strong>away until {away.to:%Y-%m-%d}" in html
    assert "Cleo Marchetti (senior developer): <strong>codes locked until" in html
    assert re.findall(r'<option value="(\w+)"', html) == ["cleo"]


def test_glass_is_offered_when_its_time_has_come(context: Context, browser: Browser, room: Room) -> None:
    """Before, the page says from when on; then a loud part lets two of those who may decide."""
    path = room.ask()
    early = browser.send("GET", path).text
    glass = context.protocol.break_glass
    assert glass is not None
    now = glass.model_copy(update={"after": timedelta(microseconds=1)})
    late = Browser(replace(context, protocol=context.protocol.model_copy(update={"break_glass": now})))
    html = late.send("GET", path).text
    first = late.answer(path, **yes("cleo", glass="shown"))
    second = late.answer(path, **yes("dan", glass="shown"))

    assert "may break the glass here" in early
    assert "I want to break the glass" not in early
    assert "Everybody in the protocol is told, with your name" in html
    assert "One more person must break the glass with you" in first.text
    assert "The glass was broken" in second.text
    assert room.entries("decided")[0].body["glass"] is True


def test_glass_before_its_time_is_refused(browser: Browser, room: Room) -> None:
    """A form that says so all the same is refused."""
    answer = browser.answer(room.ask(), **yes("cleo", glass="shown"))

    assert answer.status_code == 403
    assert "glass may be broken from" in answer.text
