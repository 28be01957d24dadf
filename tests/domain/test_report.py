"""The report: an incident as Markdown that anchors its journal."""

import re
from pathlib import Path

from ruamel.yaml import YAML

from crisis.domain.protocol import Protocol
from crisis.domain.report import write_report
from tests.domain.story import RUN, Story, a_bad_deploy, a_plan


def test_report_says_everything_that_counts() -> None:
    """Outcome, level, what users saw, score, timeline, decision, analysis and head are there."""
    story = a_bad_deploy()
    text = write_report(story.entries, links={"Live page": "http://receiver.test/x"})

    for words in (
        "# Incident INC-20261124-3f9a2c: checkout answers 500 to every customer",
        "- **Outcome:** recovered: every proof held",
        "- **Level:** Defcon 1 (critical)",
        "- **Lasted:** 4 min 12 s",
        "- **Live page:** <http://receiver.test/x>",
        "- The maintenance page, from 03:12:08 UTC",
        "| asked to decided | 2 min 44 s |",
        "| 03:14:58 | Changes | Revert release: shop: 8ab1 is live | 29.6 s | ✓ done |",
        "- **Decision:** approved `revert`, by ada",
        f"- **Plan hash:** `{a_plan().hash}`",
        "No test buys a bundle with one item.",
        f"{len(story.entries)} entries, head `{story.entries[-1].hash}`",
    ):
        assert words in text


def test_report_names_people_and_level_by_the_protocol() -> None:
    """With the protocol, short names become people and the level says what it means."""
    file = Path(__file__).parents[2] / "protocol.yaml"
    protocol = Protocol.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    text = write_report(a_bad_deploy().entries, protocol)

    assert "by Ada Okafor (CTO)" in text
    assert "Defcon 1 (critical): a primary journey fails" in text


def test_report_of_a_running_incident() -> None:
    """What is open is said as open."""
    text = write_report(a_bad_deploy(until="asked").entries)

    assert "- **Outcome:** still running" in text
    assert "- **Decision:** none yet" in text
    assert "- Start maintenance on shop, since 03:12:08 UTC; undone by end maintenance" in text


def test_words_cannot_break_the_report() -> None:
    """Pipes, line breaks and markup in an entry stay inside their cell."""
    story = Story()
    attack = "a | b\n# not a title\n<script>x</script>"
    story.tell(0, "opened", "x", service="shop", playbook="p", source="s", summary=attack)
    story.tell(1, "note", says=attack)
    text = write_report(story.entries, links={"x": "http://a b>c"})

    assert "a \\| b # not a title &lt;script&gt;" in text
    assert "<script>" not in text
    assert "<http://a%20b%3Ec>" in text
    assert not re.search(r"^# not", text, re.MULTILINE)


def test_silence_is_nobodys_answer() -> None:
    """An outcome of silence names nobody."""
    story = Story()
    story.ask(0, a_plan())
    where = {"run": RUN, "gate": "revert", "hash": a_plan().hash, "choice": ""}
    story.tell(900, "decided", "silence", **where, outcome="silence: stop", by=[], reason="nobody answered in time")

    assert "- **Decision:** silence: stop, at 2026-" in write_report(story.entries)


def test_refused_answer_names_nobody() -> None:
    """The report keeps that an answer did not count, and not whose it was."""
    story = Story()
    body = {"run": RUN, "gate": "revert", "who": "ada", "because": "wrong or outdated code", "how": "page"}
    story.tell(0, "vote refused", "page", **body)
    text = write_report(story.entries)

    assert "An answer did not count: wrong or outdated code" in text
    assert "ada" not in text


def test_no_entries_are_no_report() -> None:
    """Of nothing there is nothing to say."""
    assert write_report([]) == "# No such incident\n"
