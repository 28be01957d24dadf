"""The inbox pages: what came in, why it did or did not start something, and what hostile or damaged rows do to them."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from crisis.domain.clock import utc_now, write_time
from crisis.journal.inbox import STATES, Delivery, Settled
from crisis.journal.sightings import Sighting
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle
from crisis.receiver.replaying import replay
from tests.domain.story import INCIDENT
from tests.receiver.conftest import Browser, Room, damage
from tests.receiver.payloads import alert, delivery

NAME = "ab12cd34ef56" + "0" * 52
START = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)


def put(context: Context, *names: str, raw: bytes = b"{}", sender: str = "alertmanager", apart: float = 1) -> None:
    """Put deliveries into the inbox, each so many seconds after the one before."""
    rows = [
        Delivery(name, sender, write_time(START + timedelta(seconds=number * apart)), raw)
        for number, name in enumerate(names)
    ]
    context.inbox.put_all(rows)


def settle(context: Context, name: str, state: str, says: str, incident: str = "") -> None:
    """Say what became of a delivery."""
    context.inbox.settle_all([Settled(name, state, says, incident)])


def in_order(html: str, words: Sequence[str]) -> bool:
    """Say whether these words stand there one after the other."""
    places = [html.find(f">{word}<") for word in words]
    return -1 not in places and places == sorted(places)


@pytest.mark.parametrize("path", ["/inbox", "/inbox?state=new", f"/inbox/{NAME}", "/inbox/unknown"])
def test_nobody_looks_without_access(browser: Browser, context: Context, path: str) -> None:
    """Without a session the pages say how to get in, and nothing of what is there."""
    put(context, NAME, raw=delivery())
    answer = browser.send("GET", path)

    assert answer.status_code == 403
    assert "<code>crisis link NAME</code>" in answer.text
    assert "alertmanager" not in answer.text


def test_list_says_what_became_of_each_and_why(inside: Browser, context: Context) -> None:
    """Time, sender, state in words, the reason, and the way to incident and detail; the newest first."""
    put(context, "first", NAME)
    settle(context, "first", "ignored", "no route of alertmanager fits the alert Disk")
    settle(context, NAME, "joined", f"belongs to {INCIDENT}", INCIDENT)
    html = inside.send("GET", "/inbox").text

    assert in_order(html, ["joined", f"belongs to {INCIDENT}", "ignored"])
    assert "2026-11-24 03:12:01 UTC" in html
    assert f'href="/inbox/{NAME}"' in html
    assert f'href="/incidents/{INCIDENT}"' in html
    assert "no route of alertmanager fits the alert Disk" in html
    assert "you are in as Ada Okafor (CTO)" in html


def test_counts_and_the_one_that_waits_for_longest(inside: Browser, context: Context) -> None:
    """At the top stand how many there are in each state, and which has waited for longest."""
    put(context, "first", "second", "third", "fourth")
    settle(context, "first", "started", "bad-deploy for INC-1")
    settle(context, "second", "held", "planned work")
    html = inside.send("GET", "/inbox").text

    assert 'all <span class="count">4</span>' in html
    assert 'new <span class="count">2</span>' in html
    assert 'joined <span class="count">0</span>' in html
    waiting = html.partition('<p id="waiting">')[2].partition("</p>")[0]
    assert 'href="/inbox/second"' in waiting
    assert "held since" in waiting


def test_empty_inbox_says_what_to_do(inside: Browser) -> None:
    """Who has just set it up is told how to try an alert, and where a sender posts to."""
    html = inside.send("GET", "/inbox").text

    assert "crisis alerts test payload.json --sender alertmanager" in html
    assert "http://receiver.test/alerts/alertmanager" in html
    assert "docs/how-to/connect-a-sender.md" in html
    assert "Nothing fits" not in html


@pytest.mark.parametrize("state", STATES)
def test_filter_by_state(inside: Browser, context: Context, state: str) -> None:
    """A state's link shows what is in it, and nothing else."""
    put(context, *STATES)
    for one in STATES:
        settle(context, one, one, f"it is {one}")
    html = inside.send("GET", f"/inbox?state={state}").text

    assert [one for one in STATES if f"it is {one}<" in html] == [state]
    assert f'<a href="/inbox?state={state}" aria-current="true">' in html


def test_filter_by_sender(inside: Browser, context: Context) -> None:
    """What one sender sent, also one that has left the protocol since."""
    put(context, "ours")
    put(context, "theirs", sender="former")
    html = inside.send("GET", "/inbox?sender=former").text

    assert ("/inbox/theirs" in html, "/inbox/ours" in html.partition('id="list-h"')[2]) == (True, False)
    assert '<a href="/inbox?sender=former" aria-current="true">' in html
    assert "Nothing fits" in inside.send("GET", "/inbox?sender=nobody").text


def test_filter_by_incident(inside: Browser, context: Context) -> None:
    """What an incident took in: what opened or joined it, and what told of one of its alerts and joined another."""
    put(context, "joined", "told", "other")
    settle(context, "joined", "joined", "x", INCIDENT)
    settle(context, "told", "joined", "y", "INC-20261124-000000")
    context.sightings.keep([Sighting("a", "s", "", INCIDENT, "told", write_time(START))])
    html = inside.send("GET", f"/inbox?incident={INCIDENT}").text.partition('id="list-h"')[2]

    assert ("/inbox/joined" in html, "/inbox/told" in html, "/inbox/other" in html) == (True, True, False)


@pytest.mark.parametrize("apart", [1, 0])
def test_older_pages_show_each_once(inside: Browser, context: Context, apart: float) -> None:
    """Following the link to what is older shows every delivery once, also where many came in one moment."""
    names = [f"name-{number:03}" for number in range(120)]
    put(context, *names, apart=apart)
    seen, path, pages = list[str](), "/inbox?state=new", 0
    while path:
        html = inside.send("GET", path).text.partition('id="list-h"')[2]
        seen += [name for name in names if f"/inbox/{name}" in html]
        path = html.partition('rel="next"')[0].rpartition('<a href="')[2].rstrip('" ') if 'rel="next"' in html else ""
        path, pages = path.replace("&amp;", "&"), pages + 1

    assert sorted(seen) == names
    assert pages == 3


@pytest.mark.parametrize(
    "query",
    [
        "state=odd",
        "sender=A%00B",
        "incident=x",
        "before=yesterday",
        "last=%3Cscript%3E",
        "before=2026-11-24%0A",
        "state=%ff",
    ],
)
def test_address_that_we_did_not_write_is_refused(inside: Browser, query: str) -> None:
    """It is said which part is wrong, and what to do; nothing of it is repeated."""
    answer = inside.send("GET", f"/inbox?{query}")

    assert answer.status_code == 400
    assert f"<code>{query.partition('=')[0]}</code>" in answer.text
    assert "script>" not in answer.text


def test_unknown_delivery_is_not_found(inside: Browser) -> None:
    """It says that it may have been thrown away."""
    for name in (NAME, "%00", "x" * 65, "a b"):
        answer = inside.send("GET", f"/inbox/{name}")

        assert answer.status_code == 404
        assert "No such delivery" in answer.text


def test_storm_is_said(inside: Browser, context: Context) -> None:
    """While a storm is on the inbox says so, and what ends it; when it is calm it does not."""
    assert 'id="storm"' not in inside.send("GET", "/inbox").text

    for number in range(31):
        context.storm.saw(f"group {number}", utc_now())
    html = inside.send("GET", "/inbox").text

    assert "An alert storm is on" in html
    assert "More than 30 groups of alerts came within 1 min." in html


def test_page_of_a_delivery_says_what_was_read_and_what_it_would_start(inside: Browser, context: Context) -> None:
    """The alert's fields and labels, the route that fits, what it starts, and how to have it judged again."""
    put(context, NAME, raw=delivery())
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "checkout of shop fails" in html
    assert "2026-11-24 03:12:05 UTC" in html
    assert "<dt><bdi>journey</bdi></dt><dd><bdi>checkout</bdi></dd>" in html
    assert "1 of 1 fits: alertname = JourneyFailing, severity = critical" in html
    assert "bad-deploy for shop at level 1, unless an incident of it is open already" in html
    assert "<code>crisis alerts replay ab12cd34ef56</code>" in html
    assert 'href="https://runbooks.example.com/x" rel="noopener noreferrer nofollow"' in html


def test_page_of_a_delivery_says_what_became_of_it(inside: Browser, context: Context) -> None:
    """After it was judged the page shows the outcome and leads to the incident."""
    put(context, NAME, raw=delivery())
    (start,) = handle(context, context.inbox.new()[0])
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "<strong>opened</strong>" in html
    assert f'<a href="/incidents/{start.incident}">{start.incident}</a>' in html


def test_route_that_does_not_fit_says_why(inside: Browser, context: Context) -> None:
    """Each route names the label that it wants, and what the alert says there."""
    put(context, NAME, raw=delivery(alert(severity="warning")))
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "none of 1 fits" in html
    assert "1: bad-deploy wants severity = critical (it says warning)" in html
    assert "nothing: no route of alertmanager fits the alert JourneyFailing" in html


def test_what_cannot_be_read_says_why(inside: Browser, context: Context) -> None:
    """A body that is no delivery, and one of a sender that is gone, are said to be that."""
    put(context, "broken", raw=b"\xff\xfe{")
    put(context, "former", sender="former")

    assert "it cannot be read: the body is no JSON" in inside.send("GET", "/inbox/broken").text
    assert "\\xff\\xfe{" in inside.send("GET", "/inbox/broken").text
    assert "former is no sender of the protocol" in inside.send("GET", "/inbox/former").text


def test_copy_says_whose_it_is_and_who_made_it(inside: Browser, context: Context) -> None:
    """The page of a replayed delivery leads to the first one, and names the person."""
    put(context, NAME, raw=delivery())
    copy = replay(context.journal, context.inbox.new()[0], "grace")
    html = inside.send("GET", f"/inbox/{copy}").text

    assert f'<a href="/inbox/{NAME}">ab12cd34ef56</a>' in html
    assert f"grace replayed delivery ab12cd34ef56 of alertmanager as {copy[:12]}" in html


HOSTILE = "<script>alert(1)</script></pre></bdi><img src=x onerror=alert(1)>`\u202eevil\u2066\u200b\x1b[31m\x00"


def test_hostile_words_stay_words(inside: Browser, context: Context) -> None:
    """Markup is shown as text; signs that hide text or turn it round are spelt out, on every page."""
    one = alert(journey=HOSTILE) | {
        "annotations": {"summary": HOSTILE, "runbook_url": f"javascript:alert(1)//{HOSTILE}"}
    }
    one["labels"][HOSTILE] = HOSTILE
    put(context, NAME, raw=delivery(one) + "\u202e".encode())
    settle(context, NAME, "ignored", HOSTILE)
    put(context, "second", raw=delivery(one))
    for path in ("/inbox", f"/inbox/{NAME}", "/inbox/second"):
        html = inside.send("GET", path).text

        assert "<script>alert" not in html
        assert "<img" not in html
        assert not set("\u202e\u2066\u200b\x1b\x00") & set(html)
        assert 'href="javascript' not in html
        assert html.count("</bdi>") == html.count("<bdi>")
    assert "\\u202eevil" in inside.send("GET", "/inbox/second").text


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com/",
        "https://bank.example@evil.example/",
        "https://ex\u0430mple.com/",
        "https://example.com\\@evil.example/",
        "https://example.com/a b",
        "http://[::1",
        "//example.com/",
        "https:///x",
    ],
)
def test_link_that_may_mislead_is_only_text(inside: Browser, context: Context, link: str) -> None:
    """Only plain addresses of the web can be followed."""
    one = alert() | {"annotations": {"summary": "x", "runbook_url": link}}
    put(context, NAME, raw=delivery(one))
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "which is no plain address of the web" in html
    assert html.count("noopener") == 0


def test_stacked_marks_do_not_paint_over_other_lines(inside: Browser, context: Context) -> None:
    """Of many marks over one letter two stay; the others are spelt out."""
    put(context, NAME, raw=delivery(alert(journey="e" + "\u0301" * 200)))
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "e\u0301\u0301\\u0301" in html


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b"Token=d41d8cd98f00b204&Status=Down&Name=shop", "d41d8cd98f00b204"),
        (b'{"Type":"SubscriptionConfirmation","Token" : "2336412f37fb\\"687f","x":1}', "687f"),
        (b'{"SubscribeURL":"https://sns.example/?Token=2336412f37fb"}', "2336412f37fb"),
        (b'{"url":"https://example.com/?api_key=5f0c1e"}', "5f0c1e"),
        (b'{"api-key":"5f0c1e', "5f0c1e"),
    ],
)
def test_secrets_in_a_body_are_hidden(inside: Browser, context: Context, raw: bytes, secret: str) -> None:
    """Some vendors prove themselves by a word in the body: who may look at the inbox may not send in their name."""
    put(context, NAME, raw=raw)
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "(hidden: a secret)" in html
    assert secret not in html


def test_label_that_is_a_secret_is_hidden(inside: Browser, context: Context) -> None:
    """A label of such a name is shown without its value; one that only speaks of secrets is shown."""
    put(context, NAME, raw=delivery(alert(auth_token="5f0c1e77", secret_type="github_pat")))
    html = inside.send("GET", f"/inbox/{NAME}").text

    assert "5f0c1e77" not in html
    assert "github_pat" in html


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"version": "4", "alerts": [{}] * 1_000_000}, separators=(",", ":")).encode(),
        b'{"version":"4","alerts":' + b"[" * 5_000_000,
        delivery(alert(**{f"l{number}": "v" for number in range(30_000)})),
        b'"token":"' * 500_000,
        b'"' * 5_000_000,
        b"x" * 5_000_000,
        "\u202e".encode() * 1_000_000,
    ],
    ids=["alerts", "brackets", "labels", "tokens", "quotes", "letters", "turns"],
)
def test_huge_body_costs_no_seconds(inside: Browser, context: Context, raw: bytes) -> None:
    """Whatever five megabytes are made of, the page comes soon and is short."""
    put(context, NAME, raw=raw)
    put(context, "small", raw=delivery())
    inside.send("GET", "/inbox/small")  # loads what is loaded once
    before = time.process_time()
    answer = inside.send("GET", f"/inbox/{NAME}")

    assert time.process_time() - before < 1.5
    assert answer.status_code == 200
    assert len(answer.text) < 400_000


def test_list_reads_no_bodies(inside: Browser, context: Context) -> None:
    """Fifty deliveries of five megabytes do not weigh on the list."""
    put(context, *(f"big-{number}" for number in range(50)), raw=bytes(2_000_000))
    inside.send("GET", "/inbox?state=held")  # loads what is loaded once
    before = time.process_time()

    assert inside.send("GET", "/inbox").status_code == 200
    assert time.process_time() - before < 1.5


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("state = 'odd'", "its state is none"),
        ("state = X'ff'", "its state is no text"),
        ("received = 'yesterday'", "its time is none"),
        ("received = 5", "its time is none"),
        ("received = X'ff'", "its received is no text"),
        ("says = CAST(X'41ff' AS TEXT)", "its says is no text"),
        ("sender = X'00ff'", "its sender is no text"),
        ("incident = X'00ff'", "its incident is no text"),
        ("again = 'soon'", "its time is none"),
        ("headers = '{\"a\": 1}'", "its headers are no text"),
        ("raw = 'text'", "its body is no bytes"),
    ],
)
def test_damaged_row_says_so(inside: Browser, context: Context, sql: str, says: str) -> None:
    """What is damaged in the store is said, on a page that stands; the other rows are not hidden by it."""
    put(context, NAME, "other", raw=delivery())
    damage(context, f"UPDATE inbox SET {sql} WHERE delivery = '{NAME}'")  # noqa: S608
    page, listed = inside.send("GET", f"/inbox/{NAME}"), inside.send("GET", "/inbox")

    assert (page.status_code, listed.status_code) == (200, 200)
    assert f"Damaged in the store: {says}" in page.text
    assert says in listed.text or sql.startswith("raw")
    assert "/inbox/other" in listed.text


@pytest.mark.parametrize("headers", ["'{'", "'[]'", "X'ff'", "5"])
def test_damaged_headers_are_none(inside: Browser, context: Context, headers: str) -> None:
    """Headers that cannot be read count as none, and the rest is shown."""
    put(context, NAME, raw=delivery())
    damage(context, f"UPDATE inbox SET headers = {headers}")  # noqa: S608

    assert "checkout of shop fails" in inside.send("GET", f"/inbox/{NAME}").text


def test_page_full_of_damage_still_leads_on(inside: Browser, context: Context) -> None:
    """Fifty damaged times on the first page do not cut off what is sound."""
    put(context, "sound", *(f"broken-{number}" for number in range(60)))
    damage(context, "UPDATE inbox SET received = X'ff' WHERE delivery != 'sound'")
    html = inside.send("GET", "/inbox").text
    older = html.partition('rel="next"')[0].rpartition('<a href="')[2].rstrip('" ').replace("&amp;", "&")

    assert "/inbox/sound" not in html.partition('id="list-h"')[2]
    assert "/inbox/sound" in inside.send("GET", older).text


def test_room_says_how_many_alerts_came(inside: Browser, context: Context, room: Room) -> None:
    """An incident's room counts its alerts, says how many still fire, and leads to them in the inbox."""
    assert 'id="alerts"' not in inside.send("GET", f"/incidents/{INCIDENT}").text

    alerts = [Sighting(f"a{number}", "s", "", INCIDENT, "d", write_time(START)) for number in range(3)]
    context.sightings.keep(alerts)
    context.sightings.keep([Sighting("a0", "s", "", INCIDENT, "d", write_time(START), resolved=write_time(START))])
    html = inside.send("GET", f"/incidents/{INCIDENT}").text

    assert "3 alerts came, <strong>2 still fire</strong>" in html
    assert f'href="/inbox?incident={INCIDENT}"' in html
    assert room.entries("opened")


def test_pages_lead_to_one_another(inside: Browser, room: Room) -> None:
    """From incidents, a room and the inbox both others can be reached."""
    for path in ("/incidents", f"/incidents/{INCIDENT}", "/inbox"):
        html = inside.send("GET", path).text

        assert '<a href="/incidents"' in html
        assert '<a href="/inbox"' in html
    assert room.entries("opened")
