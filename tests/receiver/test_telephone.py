"""Deciding by SMS and by the keys of a telephone: who signed, who wrote, and the same vote as by any other way."""

import base64
import hashlib
import hmac
import itertools
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest

from crisis.clients.twilio import CallTicket
from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.person import PEOPLE
from crisis.domain.protocol import Messages
from crisis.receiver.context import Context, Finished
from crisis.receiver.signatures import signed_by_twilio
from tests.domain.story import INCIDENT, RUN, a_plan
from tests.receiver.conftest import Browser, Room, code_of, damage

TOKEN, BEFORE, HOST = "an-auth-token-of-twilio", "the-auth-token-before", "http://receiver.test"
NUMBERS = {"ada": "+15005550101", "ben": "+15005550102", "cleo": "+15005550103", "dan": "+15005550104"}
STRANGER = "+15005559999"
NUMBER = itertools.count(1)


def independent(token: str, url: str, form: dict[str, list[str]]) -> str:
    """Sign as Twilio's own library does: a dict of lists, names sorted, each value once and sorted."""
    text = url
    for name in sorted(form):
        for value in sorted(set(form[name])):
            text += name + value
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


@dataclass
class Carrier:
    """Twilio's side of the wire: it signs what people send and press."""

    browser: Browser
    calls: dict[str, str] = field(default_factory=dict)

    def post(
        self, path: str, form: dict[str, str], *, token: str = TOKEN, changed: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Post a form; `changed` is what is sent in place of what was signed."""
        mark = independent(token, f"{HOST}{path}", {name: [value] for name, value in form.items()})
        headers = {"X-Twilio-Signature": mark, "Content-Type": "application/x-www-form-urlencoded", **more}
        content = urlencode({**form, **(changed or {})}).encode()
        return self.browser.send("POST", path, content=content, headers=headers)

    def sms(self, who: str, body: str, sid: str = "", **more: Any) -> httpx.Response:
        """Send a text message from somebody's phone."""
        sid = sid or f"SM{next(NUMBER):032x}"
        form = {"From": NUMBERS.get(who, who), "To": "+15005550006", "Body": body, "MessageSid": sid}
        return self.post("/twilio/sms", form, **more)

    def call(self, path: str, who: str = "ada", digits: str = "", sid: str = "", **more: Any) -> httpx.Response:
        """Go on with a call."""
        form = {"CallSid": sid or f"CA{next(NUMBER):032x}", "To": NUMBERS[who], "From": "+15005550006"}
        return self.post(path, form | ({"Digits": digits} if digits else {}), **more)


@pytest.fixture
def carrier(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """Put Twilio in front of the receiver."""
    monkeypatch.setenv("CRISIS_SANDBOX_TWILIO_TOKEN", TOKEN)
    monkeypatch.setenv("CRISIS_SANDBOX_SLACK_TOKEN", "no-slack-in-these-tests")
    monkeypatch.setenv("CRISIS_SANDBOX_SLACK_URL", "http://127.0.0.1:1")
    return Carrier(browser)


@contextmanager
def killed_at(where: str) -> Iterator[None]:
    """Kill the receiver at the moment it calls this."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, killed)
        with pytest.raises(KeyboardInterrupt):
            yield


def gate_of(room: Room, incident: str = INCIDENT) -> Gate:
    """Return the question as it stands."""
    return fold_gates(room.journal.entries(incident))[RUN, "revert"]


def document(answer: httpx.Response) -> ET.Element:
    """Read what the receiver answers to Twilio."""
    assert answer.status_code == 200, answer.text
    return ET.fromstring(answer.content)  # noqa: S314 - our own answer


def spoken(answer: httpx.Response) -> str:
    """Return what a phone shows or says."""
    return " ".join(one.text or "" for one in document(answer).iter() if one.text)


def keys_path(answer: httpx.Response) -> str:
    """Return where the keys of a call go."""
    gather = document(answer).find("Gather")
    assert gather is not None
    parts = urlsplit(gather.attrib["action"])
    return f"{parts.path}?{parts.query}"


def voice_path(context: Context, gate: Gate, who: str = "ada", **more: Any) -> str:
    """Return where a call about a question begins."""
    ticket = replace(CallTicket(who, INCIDENT, RUN, "revert", gate.asked_as), **more)
    return ticket.address("/twilio/voice", context.settings.signing_key())


def test_the_published_example_is_accepted() -> None:
    """Twilio's own example of a signature fits, with and without its port, and with one byte changed it does not."""
    url, form = "https://mycompany.com/myapp.php?foo=1&bar=2", {
        "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234",
        "From": "+14158675309", "To": "+18005551212",
    }  # fmt: skip
    mark, token = "RSOYDt4T1cUTdK1PDd93/VVr8B8=", [b"12345"]

    assert independent("12345", url, {name: [value] for name, value in form.items()}) == mark
    assert signed_by_twilio(token, url, form.items(), mark)
    assert signed_by_twilio([b"another", *token], url.replace(".com", ".com:443"), form.items(), mark)
    assert not signed_by_twilio(token, url, {**form, "Digits": "1235"}.items(), mark)
    assert not signed_by_twilio(token, url.replace("foo=1", "foo=2"), form.items(), mark)
    assert not signed_by_twilio([], url, form.items(), mark)


@pytest.mark.parametrize(
    "pairs",
    [
        [("b", "2"), ("a", "1"), ("a", "0"), ("a", "1")],
        [("a", "0"), ("a", "1"), ("b", "2")],
    ],
)
def test_repeated_names_have_one_signature(pairs: Iterable[tuple[str, str]]) -> None:
    """However often and in whatever order they come, the text that is signed is the same."""
    mark = independent("12345", "https://x.test/", {"b": ["2"], "a": ["1", "0", "1"]})

    assert signed_by_twilio([b"12345"], "https://x.test/", pairs, mark)


@pytest.mark.parametrize(
    ("body", "answer", "outcome"),
    [
        ("revert {code}", "revert", "approved"),
        ("  REVERT   {code}  ", "revert", "approved"),
        ("Q{n} revert {code}", "revert", "approved"),
        ("q {n}: Roll back, {code} it is quicker", "roll-back", "approved"),
        ("Rollback {gap}", "roll-back", "approved"),
        ("no {code} because it is the wrong release", "no", "declined"),
        ("STOP {code}", "no", "declined"),
        ("Q{n} stop, {code} not this one", "no", "declined"),
        ("change {code} use the older release", "change", "change asked"),
    ],
)
def test_a_text_message_decides(carrier: Carrier, room: Room, body: str, answer: str, outcome: str) -> None:
    """Case and spacing do not matter; the vote is the same as on the page."""
    room.ask()
    code = code_of("ada")
    text = body.format(code=code, gap=f"{code[:3]} {code[3:]}", n=gate_of(room).asked_as)

    assert f"Decided, {outcome}" in spoken(carrier.sms("ada", text))
    [vote] = room.entries("voted")
    assert (vote.actor, vote.body["answer"], vote.body["how"]) == ("ada", answer, "SMS")


def test_the_reason_is_kept(carrier: Carrier, room: Room) -> None:
    """What follows the code is the reason, as it was written."""
    room.ask()
    carrier.sms("ada", f"no {code_of('ada')} because <script>alert(1)</script> & so on")

    assert [vote.body["reason"] for vote in room.entries("voted")] == ["because <script>alert(1)</script> & so on"]
    assert "<script>alert" not in carrier.browser.send("GET", f"/decide/{INCIDENT}/{RUN}/revert").text


def test_where_two_are_needed_one_is_told_so(carrier: Carrier, room: Room) -> None:
    """The first yes is recorded, the second decides."""
    room.ask(needed=2)

    assert "More people must agree" in spoken(carrier.sms("ada", f"revert {code_of('ada')}"))
    assert "Decided, approved: revert" in spoken(carrier.sms("ben", f"revert {code_of('ben')}"))


@pytest.mark.parametrize(
    "body", ["", "revert", "stop", "yes please", "revert 12345", "{code}", "{code} revert", "revert{code}"]
)
def test_what_is_not_understood_is_explained(carrier: Carrier, room: Room, body: str) -> None:
    """Nothing is counted, nothing of it is repeated or recorded, and it costs no strike."""
    room.ask()
    code = code_of("ada")
    said = spoken(carrier.sms("ada", body.format(code=code)))

    assert said.startswith("Not understood, nothing was counted. Reply: Q4 revert CODE.")
    assert code not in said
    assert code not in str([*room.entries(), *room.journal.entries(PEOPLE)])
    assert (room.entries("voted"), room.entries("vote refused")) == ([], [])
    assert "Decided" in spoken(carrier.sms("ada", f"revert {code}"))


def ask_elsewhere(room: Room, name: str = "INC-20261124-bbbbbb", padding: int = 0, **more: Any) -> str:
    """Ask ada about another incident, under a number that `padding` moves."""
    for _ in range(padding):
        room.journal.append(name, "seen", "responder", {"run": RUN, "look": "x", "target": "x", "says": ""})
    room.journal.append(name, "started", "responder", {"run": RUN, "playbook": "bad-deploy", "start": 1})
    plan = a_plan("Take release 77aa back?")
    body: dict[str, Any] = {"run": RUN, "gate": "revert", "plan": plan.model_dump(mode="json"), "hash": plan.hash}
    body |= {
        "people": ["ada"],
        "needed": 1,
        "silence": "stop",
        "deadline": write_time(utc_now() + timedelta(minutes=9)),
    }
    room.journal.append(name, "asked", "responder", {**body, **more})
    return name


def test_several_questions_need_their_number(carrier: Carrier, room: Room) -> None:
    """Without a number nothing is counted; with it the right question is decided, and the other is not."""
    room.ask()
    other = ask_elsewhere(room, padding=6)
    code = code_of("ada")
    said = spoken(carrier.sms("ada", f"revert {code}"))

    assert "Begin with the number of the question that waits: Q8 Take release 77aa back?; Q4" in said
    assert "Decided" in spoken(carrier.sms("ada", f"Q8 revert {code}"))
    assert room.entries("decided") == []
    assert [entry.kind for entry in room.journal.entries(other)][-1] == "decided"


def test_two_questions_of_one_number_are_decided_by_their_links(carrier: Carrier, room: Room) -> None:
    """A number that could mean two questions means neither."""
    room.ask()
    ask_elsewhere(room, padding=2)

    assert "Decide by the link" in spoken(carrier.sms("ada", f"Q4 revert {code_of('ada')}"))
    assert room.entries("voted") == []


def test_an_answer_to_an_old_plan_does_not_count_for_the_new_one(carrier: Carrier, room: Room) -> None:
    """An answer on its way while the plan changes needs the new number; the old one is nobody's."""
    room.ask(a_plan("Take release 4f2c back?"))
    room.ask(a_plan("Take releases 4f2c and 91be back?"))
    code = code_of("ada")

    assert "Begin with the number of the question that waits: Q5" in spoken(carrier.sms("ada", f"revert {code}"))
    assert "Nothing was counted" in spoken(carrier.sms("ada", f"Q4 revert {code}"))
    assert room.entries("voted") == []
    assert "Decided" in spoken(carrier.sms("ada", f"Q5 revert {code}"))


def test_after_the_decision_nothing_waits(carrier: Carrier, room: Room) -> None:
    """A late answer is told so."""
    room.ask()
    carrier.sms("ada", f"revert {code_of('ada')}")

    assert spoken(carrier.sms("ben", f"no {code_of('ben')}")) == "Nothing waits for your answer."


def test_who_is_not_asked_has_nothing_to_answer(carrier: Carrier, room: Room) -> None:
    """Cleo is known and not asked; she is told no more than that."""
    room.ask()

    assert spoken(carrier.sms("cleo", f"revert {code_of('cleo')}")) == "Nothing waits for your answer."
    assert room.entries("voted") == []


def test_who_started_the_run_cannot_approve_it(carrier: Carrier, room: Room) -> None:
    """Her number is the same human as her name in the record; somebody else can."""
    room.ask(requester="ada")

    assert "who started the run cannot approve it" in spoken(carrier.sms("ada", f"revert {code_of('ada')}"))
    assert "Decided" in spoken(carrier.sms("ben", f"revert {code_of('ben')}"))


def test_a_stranger_gets_no_word(carrier: Carrier, room: Room) -> None:
    """An unknown number, or a name in its place, is answered with nothing, and noted once a minute at most."""
    room.ask()
    for sender in (STRANGER, "ada", "U0SANDADA", "whatsapp:+15005550101", ""):
        form = {"From": sender, "To": "+15005550006", "Body": f"revert {code_of('ada')}", "MessageSid": "SM1"}
        assert spoken(carrier.post("/twilio/sms", form)) == ""

    notes = [entry for entry in room.journal.entries(PEOPLE) if entry.kind == "stranger"]
    assert 1 <= len(notes) <= 2
    assert STRANGER not in str(notes)
    assert room.entries("voted") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "another-token"},
        {"changed": {"From": NUMBERS["ben"]}},
        {"changed": {"Body": "revert 000000"}},
        {"changed": {"Extra": "1"}},
        {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "é".encode()},
        {"Content-Type": "application/json"},
    ],
)
def test_what_twilio_did_not_sign_is_refused(carrier: Carrier, room: Room, wrong: dict[str, Any]) -> None:
    """A spoofed sender, another token, a changed byte: 403, nothing is read and nothing is recorded."""
    room.ask()

    assert carrier.sms("ada", f"revert {code_of('ada')}", **wrong).status_code == 403
    assert room.entries("voted") == room.entries("vote refused") == []
    assert room.journal.entries(PEOPLE) == []


def test_no_signature_at_all_is_refused(carrier: Carrier, room: Room) -> None:
    """Anybody can post a form that says it is from Ada's number."""
    room.ask()
    form = {"From": NUMBERS["ada"], "Body": f"revert {code_of('ada')}", "MessageSid": "SM1"}

    assert carrier.browser.send("POST", "/twilio/sms", data=form).status_code == 403


def test_the_signature_is_for_one_address(carrier: Carrier, room: Room) -> None:
    """What was signed for another page, or another host, does not count here; the Host header is not asked."""
    room.ask()
    form = {"From": NUMBERS["ada"], "Body": f"revert {code_of('ada')}", "MessageSid": "SM1"}
    parts = {name: [value] for name, value in form.items()}
    for url in ("http://receiver.test/twilio/keys", "https://receiver.test/twilio/sms", "http://evil.test/twilio/sms"):
        headers = {"X-Twilio-Signature": independent(TOKEN, url, parts), "Host": "evil.test"}
        assert carrier.browser.send("POST", "/twilio/sms", data=form, headers=headers).status_code == 403
    assert carrier.post("/twilio/sms", form, Host="evil.test").status_code == 200


def test_both_tokens_count_while_one_is_rotated(carrier: Carrier, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before counts when protocol.yaml names it, and not otherwise."""
    room.ask(needed=2)
    assert carrier.sms("ada", "revert", token=BEFORE).status_code == 403
    monkeypatch.setenv("TOKEN_BEFORE", BEFORE)
    context = carrier.browser.context
    messages: Messages = context.protocol.messages.model_copy(update={"token_before": "env:TOKEN_BEFORE"})
    carrier.browser.context = replace(context, protocol=context.protocol.model_copy(update={"messages": messages}))

    assert "Recorded" in spoken(carrier.sms("ada", f"revert {code_of('ada')}", token=BEFORE))
    assert "Decided" in spoken(carrier.sms("ben", f"revert {code_of('ben')}"))


def test_a_message_counts_once(carrier: Carrier, room: Room) -> None:
    """Twilio's signatures have no date: a message is remembered for good, and its repeat counts for nothing."""
    room.ask()
    first, again = (carrier.sms("ada", "revert 000000", "SM0123") for _ in range(2))

    assert "wrong or outdated code" in spoken(first)
    assert "may have been counted. Look at the page" in spoken(again)
    assert len(room.entries("vote refused")) == 1
    assert carrier.sms("ada", "revert 000000", " ").status_code == 400


def test_a_code_is_good_once_whatever_the_way(carrier: Carrier, room: Room) -> None:
    """The code of an SMS cannot be used on the page by who read it on the way."""
    path, code = room.ask(needed=2), code_of("ada")
    carrier.sms("ada", f"revert {code}")
    page = carrier.browser.answer(path, person="ada", answer="roll-back", code=code)

    assert "used already" in page.text
    assert [entry.body["answer"] for entry in room.entries("voted")] == ["revert"]


def test_a_code_of_the_page_is_spent_for_messages(carrier: Carrier, room: Room) -> None:
    """The other way round, too."""
    path, code = room.ask(needed=2), code_of("ada")
    carrier.browser.answer(path, person="ada", answer="revert", code=code)

    assert "used already" in spoken(carrier.sms("ada", f"no {code}"))


def test_five_wrong_codes_lock(carrier: Carrier, room: Room) -> None:
    """Guessing by SMS locks as everywhere, and the right code comes too late."""
    room.ask()
    for _ in range(5):
        assert "wrong or outdated code" in spoken(carrier.sms("ada", "revert 000000"))

    assert "locked after 5 wrong codes" in spoken(carrier.sms("ada", f"revert {code_of('ada')}"))
    assert room.entries("voted") == []


def test_a_damaged_incident_hides_no_other(carrier: Carrier, room: Room) -> None:
    """One chain that cannot be read does not keep people from answering about another."""
    ask_elsewhere(room, "INC-20261124-cccccc")
    with room.journal.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS entries_no_update")
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='trigger'").all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE entries SET body='[' WHERE incident='INC-20261124-cccccc'")
    room.ask()

    assert "Decided" in spoken(carrier.sms("ada", f"revert {code_of('ada')}"))


def test_a_call_reads_out_and_takes_keys(carrier: Carrier, room: Room, context: Context) -> None:
    """Title, terms and answers are said; one key for the answer and six for the code decide."""
    room.ask()
    began = carrier.call(voice_path(context, gate_of(room)), sid="CA1")
    code = code_of("ada")
    ended = carrier.call(keys_path(began), digits=f"1{code}", sid="CA1")

    assert spoken(began).startswith(
        "Crisis at The Sandbox Shop. Take release 4f2c back? Answer within 9 minutes, before"
    )
    assert "To answer, press 1 to say revert, press 2 to say roll-back, press 3 to say no" in spoken(began)
    assert "Decided, approved: revert, by Ada Okafor. Goodbye." in spoken(ended)
    assert document(ended).find("Hangup") is not None
    [vote] = room.entries("voted")
    assert (vote.actor, vote.body["how"]) == ("ada", "phone")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"silence": "stop"}, "UTC. If nobody answers, nothing is done. If you say no: The shop stays on the"),
        ({"silence": "proceed"}, "UTC. If nobody answers, revert goes ahead. If you say no: The shop stays on the"),
        ({"needed": 2}, "UTC. 2 people must agree. If nobody answers, nothing is done."),
        ({"wait": 50}, "Answer now, before "),
    ],
)
def test_a_call_says_the_terms(carrier: Carrier, room: Room, context: Context, more: dict[str, Any], says: str) -> None:
    """Until when, what silence means, how many must agree, and what a no does: all that the page says in few words."""
    room.ask(**more)

    assert says in spoken(carrier.call(voice_path(context, gate_of(room))))


def test_a_long_plan_leaves_room_for_the_keys(carrier: Carrier, room: Room, context: Context) -> None:
    """However long the title and the no are, what to press is said."""
    room.ask(a_plan("long " * 500).model_copy(update={"on_no": "no " * 2000}))

    assert "then your six digit code, then hash" in spoken(carrier.call(voice_path(context, gate_of(room))))


def test_a_no_by_phone(carrier: Carrier, room: Room, context: Context) -> None:
    """The key after the last way to go says no."""
    room.ask()
    began = carrier.call(voice_path(context, gate_of(room)))
    carrier.call(keys_path(began), digits=f"3{code_of('ada')}")

    assert [entry.body["outcome"] for entry in room.entries("decided")] == ["declined"]


def test_three_tries_then_it_hangs_up(carrier: Carrier, room: Room, context: Context) -> None:
    """Keys that make no answer cost no strike; after three tries the call ends."""
    room.ask()
    answer = carrier.call(voice_path(context, gate_of(room)), sid="CA1")
    said = []
    for digits in ("12", "9123456", "1000000"):
        answer = carrier.call(keys_path(answer), digits=digits, sid="CA1")
        said.append(spoken(answer))

    assert said[0].startswith("Those keys make no answer. To answer, press 1")
    assert said[1].startswith("Those keys make no answer.")
    assert said[2].startswith("That was not counted: wrong or outdated code")
    assert said[2].endswith("Please use the link in the message. Goodbye.")
    assert document(answer).find("Gather") is None
    assert len([entry for entry in room.journal.entries(PEOPLE) if entry.kind == "code refused"]) == 1


def test_the_keys_of_a_call_count_once(carrier: Carrier, room: Room, context: Context) -> None:
    """Each step of a call is taken once: neither its beginning nor its keys can be sent again."""
    room.ask()
    path = voice_path(context, gate_of(room))
    began = carrier.call(path, sid="CA1")

    assert "may have been counted" in spoken(carrier.call(path, sid="CA1"))
    assert "wrong or outdated code" in spoken(carrier.call(keys_path(began), digits="1000000", sid="CA1"))
    assert "may have been counted" in spoken(carrier.call(keys_path(began), digits="1000000", sid="CA1"))
    assert len(room.entries("vote refused")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"who": "ben"},
        {"who": "nobody"},
        {"to": "dan"},
        {"seal": "0" * 64},
        {"question": "9"},
        {"tries": "0"},
        {"drop": "seal"},
    ],
)
def test_a_call_that_is_not_ours_is_refused(
    carrier: Carrier, room: Room, context: Context, wrong: dict[str, str]
) -> None:
    """Another person, question, number or seal than we wrote: 403, whether the person exists or not."""
    room.ask()
    path = voice_path(context, gate_of(room))
    query = dict(one.split("=") for one in path.partition("?")[2].split("&"))
    query |= {name: value for name, value in wrong.items() if name in query}
    query.pop(wrong.get("drop", ""), "")
    changed = f"/twilio/voice?{'&'.join(f'{name}={value}' for name, value in query.items())}"

    for where in (changed, changed.replace("voice", "keys")):
        answer = carrier.call(where, wrong.get("to", "ada"), digits="1123456")
        assert (answer.status_code, answer.text) == (403, "this is no call of ours")
    assert room.entries("vote refused") == []


def test_the_seal_of_another_purpose_opens_no_call(carrier: Carrier, room: Room, context: Context) -> None:
    """A ticket sealed with another key, or unsigned by Twilio, is refused; the honest one is read out."""
    room.ask()
    ticket = CallTicket("ada", INCIDENT, RUN, "revert", gate_of(room).asked_as)

    assert carrier.call(ticket.address("/twilio/voice", b"another key" * 4)).status_code == 403
    assert carrier.call(voice_path(context, gate_of(room)), token="another").status_code == 403
    assert carrier.call(voice_path(context, gate_of(room))).status_code == 200


def test_a_call_about_what_is_over_says_so(carrier: Carrier, room: Room, context: Context) -> None:
    """Decided, asked anew, run out or unknown: nothing can be pressed."""
    room.ask()
    old = voice_path(context, gate_of(room))
    room.ask(a_plan("Another plan?"))
    began = carrier.call(voice_path(context, gate_of(room)))
    carrier.sms("ben", f"Q5 revert {code_of('ben')}")

    for answer in (
        carrier.call(old),
        carrier.call(keys_path(began), digits=f"1{code_of('ada')}"),
        carrier.call(voice_path(context, gate_of(room), run="another")),
    ):
        assert spoken(answer) == "This question needs no answer any more. Goodbye."
    assert len(room.entries("voted")) == 1


def test_what_is_said_cannot_break_out(carrier: Carrier, room: Room, context: Context) -> None:
    """Markup and control characters in a title are text in the answer."""
    title = "Take </Say><Dial>+1900</Dial> & \x07 back?"
    room.ask(a_plan(title))
    began = carrier.call(voice_path(context, gate_of(room)))
    listed = carrier.sms("ada", "what?")

    assert b"<Dial>" not in began.content + listed.content
    assert "Take </Say><Dial>+1900</Dial> &   back?" in spoken(began)


def test_somebody_without_a_number_to_call_is_not_called(carrier: Carrier, room: Room, context: Context) -> None:
    """Ben has no number for calls: nothing about him can be called, whatever the form says."""
    room.ask()

    assert carrier.call(voice_path(context, gate_of(room), "ben"), "ben").status_code == 403


@pytest.mark.parametrize("path", ["/twilio/sms", "/twilio/voice", "/twilio/keys"])
def test_hostile_bodies_end_in_4xx(carrier: Carrier, path: str) -> None:
    """Too long, no form, no text, too many fields, a name twice: never an error of ours."""
    bodies = [b"x" * 1_000_000, b"\xff\xfe", b"a=%ff", b"&&&", b"", b"a=1&" * 500, b"From=%00&Body=%00"]
    kinds = ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "é"]
    codes = {
        carrier.browser.send(
            "POST", f"{path}?%ff=%00", content=body, headers={"Content-Type": kind.encode(), "X-Twilio-Signature": "x"}
        ).status_code
        for body in bodies
        for kind in kinds
    }

    assert codes == {403, 413}
    assert carrier.browser.send("GET", path).status_code == 405


def test_a_field_that_comes_twice_is_refused(carrier: Carrier) -> None:
    """Signed as it is, a form with two senders says nothing that could be trusted."""
    parts = {"From": list(NUMBERS.values())[:2], "Body": ["x"], "MessageSid": ["SM1"]}
    headers = {"X-Twilio-Signature": independent(TOKEN, f"{HOST}/twilio/sms", parts)}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    sent = carrier.browser.send("POST", "/twilio/sms", content=urlencode(parts, doseq=True), headers=headers)

    assert sent.status_code == 400


def test_neither_code_nor_token_is_kept(
    carrier: Carrier, room: Room, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """Codes, right, wrong or in the wrong place, and the token are in no log, no entry and no answer."""
    caplog.set_level(logging.DEBUG)
    room.ask()
    code = code_of("ada")
    answers = [
        carrier.sms("ada", "revert 918273"),
        carrier.sms("ada", f"{code} revert 918273"),
        carrier.sms("ada", f"because {code}"),
        carrier.sms(STRANGER, f"revert {code}"),
        carrier.sms("ada", f"revert {code}", token="wrong"),
        carrier.call(keys_path(carrier.call(voice_path(context, gate_of(room)))), digits="1918273"),
        carrier.sms("ada", f"revert {code} and {code[:3]}-{code[3:]} or {code}"),
    ]
    kept = str([*room.entries(), *context.journal.entries(PEOPLE)]) + caplog.text
    kept += "".join(answer.text for answer in answers)

    assert [entry.body["reason"] for entry in room.entries("voted")] == ["and (digits) or (digits)"]
    assert [secret for secret in ("918273", code, TOKEN) if secret in kept] == []


def test_a_missing_secret_is_said_in_the_log_alone(
    carrier: Carrier, room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong with the installation is for its owner; the person is sent to the page."""
    room.ask()
    monkeypatch.delenv("CRISIS_SANDBOX_TOTP_ADA")
    said = spoken(carrier.sms("ada", "revert 123456"))

    assert "look at the decision page" in said
    assert "CRISIS_SANDBOX_TOTP_ADA" not in said
    assert "CRISIS_SANDBOX_TOTP_ADA" in caplog.text


def test_a_message_that_was_seen_and_lost_is_answered(carrier: Carrier, room: Room) -> None:
    """Killed between seeing it and counting it: Twilio's next try tells the person to look, and says no vote stands."""
    room.ask()
    code = code_of("ada")

    with killed_at("crisis.receiver.telephone.cast_in_words"):
        carrier.sms("ada", f"revert {code}", "SM0123")
    again = carrier.sms("ada", f"revert {code}", "SM0123")

    assert spoken(again) == (
        "This came before and may have been counted. Look at the page behind the link before you answer again."
    )
    assert room.entries("voted") == []
    assert "Decided" in spoken(carrier.sms("ada", f"revert {code}"))


def test_what_was_over_long_ago_is_read_once(
    carrier: Carrier, room: Room, context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its head tells that nothing was added; with another head it is read again."""
    other = ask_elsewhere(room)
    ended = {"run": RUN, "playbook": "bad-deploy", "outcome": "recovered"}
    room.journal.append(other, "ended", "responder", ended)
    room.ask(wait=4 * 3600)
    later = utc_now() + timedelta(hours=2)
    monkeypatch.setattr("crisis.receiver.telephone.utc_now", lambda: later)
    carrier.sms("ada", "what?")
    assert context.over[other].head == room.journal.head(other)
    damage(context, "UPDATE entries SET body = '[' WHERE incident = 'INC-20261124-bbbbbb'")

    assert "Reply: Q4" in spoken(carrier.sms("ada", "what?"))
    assert caplog.text == ""
    damage(context, "UPDATE heads SET hash = 'x' WHERE incident = 'INC-20261124-bbbbbb'")
    assert "Decided" in spoken(carrier.sms("ada", f"revert {code_of('ada')}"))
    assert other in caplog.text


def test_what_runs_again_is_not_over(carrier: Carrier, room: Room, context: Context) -> None:
    """An incident that was started again after its end is forgotten as one that is over."""
    room.journal.append(INCIDENT, "ended", "responder", {"run": RUN, "playbook": "bad-deploy", "outcome": "failed"})
    carrier.sms("ada", "what?")
    assert INCIDENT in context.over
    room.journal.append(INCIDENT, "started", "responder", {"run": RUN, "playbook": "bad-deploy", "start": 2})
    room.ask()

    assert "Decided" in spoken(carrier.sms("ada", f"revert {code_of('ada')}"))
    assert INCIDENT not in context.over


def test_questions_of_long_ago_are_forgotten(carrier: Carrier, room: Room, context: Context) -> None:
    """A question of the last hour makes an answer without a number ambiguous; one of an incident long over does not."""
    other = ask_elsewhere(room)
    room.journal.append(other, "ended", "responder", {"run": RUN, "playbook": "bad-deploy", "outcome": "recovered"})
    room.ask()
    code = code_of("ada")

    assert "Begin with the number" in spoken(carrier.sms("ada", f"revert {code}"))
    ended_at = utc_now() - timedelta(hours=2)
    context.over[other] = Finished(room.journal.head(other), "shop", "bad-deploy", "recovered", ended_at)
    assert "Decided" in spoken(carrier.sms("ada", f"revert {code}"))
