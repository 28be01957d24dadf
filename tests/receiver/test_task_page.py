"""The page that closes a task: shown to who is in, closed by who proves who they are, from this page alone."""

import html
import re
from typing import Any

import httpx
import pytest

from crisis.domain.checklist import open_tasks
from crisis.receiver.context import Context
from tests.domain.story import INCIDENT
from tests.receiver.conftest import Browser, Room, code_of

ROOM = f"/incidents/{INCIDENT}"
PAGE = f"{ROOM}/task?name=pypi%2Fupload"
SAW = "an upload answered 403 at 03:12"


@pytest.fixture
def tasked(room: Room) -> Room:
    """Open a task of ben's."""
    task = {
        "name": "pypi/upload", "what": "end upload of pypi", "owner": "ben", "how": "Account settings, <Tokens>",
        "wanted": "an upload is refused",
    }  # fmt: skip
    body: dict[str, Any] = {"action": "open_task", "target": "pypi", "note": "a task", "facts": {"task": task}}
    room.journal.append(INCIDENT, "done", "responder", body)
    return room


def close(browser: Browser, headers: dict[str, str] | None = None, /, **fields: str) -> httpx.Response:
    """Open the page and send its form, as ada does."""
    return browser.answer(PAGE, headers, **{"person": "ada", "evidence": SAW, "code": code_of("ada"), **fields})


def token_in(browser: Browser) -> dict[str, str]:
    """Open the page and return what its form hides."""
    return dict(re.findall(r'name="(token)" value="([^"]*)"', browser.send("GET", PAGE).text))


def still_open(context: Context) -> bool:
    """Say whether the task is open, as the run sees it."""
    return bool(open_tasks(context.journal.entries(INCIDENT), context.settings.signing_key()))


def problem_in(answer: httpx.Response) -> str:
    """Return what a page says is wrong."""
    found = re.search(r"was not closed:</strong> (.*?)\.</p>", answer.text)
    return html.unescape(found[1]) if found else ""


def test_the_room_lists_what_is_open_and_what_shows_it(inside: Browser, tasked: Room) -> None:
    """Owner, how, what shows it, and the way to the form."""
    assert tasked.entries("done")
    text = inside.send("GET", ROOM).text
    wanted = [
        "Tasks for people", "End upload of pypi", "Ben Lindqvist (lead developer)", "Account settings, &lt;Tokens&gt;",
        "an upload is refused", f'href="{PAGE}"', "Close with evidence",
    ]  # fmt: skip

    assert [words for words in wanted if words not in text] == []


def test_a_task_is_closed_with_evidence_and_a_code(inside: Browser, context: Context, tasked: Room) -> None:
    """It leads back to the room, which says who closed it, by what evidence, and how that was proved."""
    form = {**token_in(inside), "person": "ada", "evidence": SAW, "code": code_of("ada")}
    answer = inside.send("POST", PAGE, data=form)
    text = inside.send("GET", ROOM).text
    (entry,) = tasked.entries("task closed")

    assert (answer.status_code, answer.headers["location"]) == (303, f"{ROOM}#tasks")
    assert (entry.actor, entry.body["evidence"], entry.body["how"]) == ("ada", SAW, "page")
    assert not still_open(context)
    assert "Every task is closed" in text
    assert "closed by Ada Okafor (CTO)" in text
    assert "proved by one-time code" in text
    assert "Closed" in inside.send("GET", PAGE).text
    assert inside.send("POST", PAGE, data=form).status_code == 303  # a second press, with the same code
    assert len(tasked.entries("task closed")) == 1


def test_who_was_slower_is_told(inside: Browser, tasked: Room) -> None:
    """Their evidence is not on record, and they see whose is."""
    held = token_in(inside)
    close(inside)
    late = {**held, "person": "ben", "evidence": "I saw it too", "code": code_of("ben")}
    answer = inside.send("POST", PAGE, data=late)

    assert (answer.status_code, problem_in(answer)) == (409, "somebody else closed it meanwhile")
    assert len(tasked.entries("task closed")) == 1


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"code": "12345"}, 422, "type the code that your authenticator shows now: six digits"),
        ({"code": "ada's"}, 422, "type the code that your authenticator shows now: six digits"),
        ({"evidence": " ok "}, 422, "say what you saw and when, or give a link"),
        ({"evidence": "x" * 2001}, 422, "the evidence is longer than 2000 characters"),
        ({"person": ""}, 422, "say who you are"),
        ({"person": "eve"}, 403, "'eve' has no way to prove who they are"),
        ({"person": "ben"}, 403, "wrong or outdated code"),
        ({"token": "of another page"}, 403, "this form was not sent from this page, or it was open too long"),
    ],
)
@pytest.mark.usefixtures("tasked")
def test_what_closes_nothing_is_said(
    inside: Browser, context: Context, fields: dict[str, str], status: int, says: str
) -> None:
    """The form comes back filled in, without the code; the session of ada proves nothing for ben."""
    answer = close(inside, **fields)

    assert answer.status_code == status
    assert problem_in(answer).startswith(says)
    assert code_of("ada") not in answer.text
    assert fields.get("evidence", SAW)[:2000] in answer.text
    assert still_open(context)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.usefixtures("tasked")
def test_a_form_from_elsewhere_closes_nothing(inside: Browser, context: Context, headers: dict[str, str]) -> None:
    """Another site cannot close a task in the name of who is in, even with a good code."""
    assert close(inside, headers).status_code == 403
    assert still_open(context)


@pytest.mark.usefixtures("tasked")
def test_what_is_no_form_closes_nothing(inside: Browser, context: Context) -> None:
    """JSON, a form without a field, and one that says something twice."""
    inside.send("GET", PAGE)
    sent: list[dict[str, Any]] = [
        {"json": {"person": "ada"}},
        {"data": {"person": "ada"}},
        {"data": {"person": ["ada", "ben"]}},
    ]
    answers = [inside.send("POST", PAGE, **one) for one in sent]

    assert [one.status_code for one in answers] == [422] * 3
    assert still_open(context)


@pytest.mark.usefixtures("tasked")
def test_the_page_needs_a_way_in(browser: Browser, inside: Browser) -> None:
    """Who has no link sees no task and closes none; who has one is told of a task that is none."""
    outside = [browser.send("GET", PAGE), browser.send("POST", PAGE, data={"person": "ada"})]

    assert [one.status_code for one in outside] == [403, 403]
    assert "pypi" not in outside[0].text
    assert inside.send("GET", f"{ROOM}/task?name=other").status_code == 404
    assert inside.send("GET", f"{ROOM}/task").status_code == 404
    assert inside.send("GET", "/incidents/INC-none/task?name=x").status_code == 404


@pytest.mark.usefixtures("tasked")
def test_looking_changes_nothing(inside: Browser, context: Context) -> None:
    """GET and HEAD leave the record as it is."""
    before = context.journal.head(INCIDENT)
    for method in ("GET", "HEAD"):
        assert inside.send(method, PAGE).status_code == 200

    assert context.journal.head(INCIDENT) == before
