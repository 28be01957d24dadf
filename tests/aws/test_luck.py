"""Names and files that nobody expects: none of them keeps the rest of the work from being done."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from crisis.clients import aws
from crisis.clients.aws import baseline
from crisis.clients.aws.rotation import Rotation
from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.engine.run import Run
from tasks import hunt, hunt_aws, inventory, kill, kill_steps
from tests.aws.account import Cloud


def test_a_user_with_every_sign_that_aws_allows(cloud: Cloud) -> None:
    """A user's name may hold a comma, which the name of a secret may not; again, nothing is made."""
    name = "a,b=c+d@e.f-g_h"
    cloud.boto("iam").create_user(UserName=name)
    key = cloud.boto("iam").create_access_key(UserName=name)["AccessKey"]
    done = []
    for _ in range(2):
        with aws.connect(cloud.system()) as account:
            done.append(Rotation(account, name, key["AccessKeyId"], frozenset([key["AccessKeyId"]])).run())

    assert not cloud.works((key["AccessKeyId"], key["SecretAccessKey"]))
    assert re.fullmatch(r"[\w/+=.@-]+", done[0].kept_at)
    assert (done[0].new, done[0].kept_at) == (done[1].new, done[1].kept_at)
    assert [one.changed for one in done] == [True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "saw JSONDecodeError"),
        ("[]", "saw TypeError"),
        ('{"state": []}', "saw AttributeError"),
        ('{"state": {}}', "saw KeyError"),
        ('{"state": {"users": 1}}', "saw TypeError"),
        ('{"account": "999999999999", "state": {"users": {}}}', "saw one of account 999999999999"),
    ],
)
def test_a_baseline_that_is_none_makes_nobody_a_stranger(cloud: Cloud, run: Run, text: str, says: str) -> None:
    """A stranger's key is not replaced: by a damaged file, or another account's, all consumers would lose theirs."""
    file = baseline.file_of(run.settings.home, "cloud")
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    seen = hunt_aws.look_at_baseline.__wrapped__("cloud")  # type: ignore[attr-defined]
    ghosts = hunt_aws.find_aws_ghosts.__wrapped__("cloud", "2026-01-01T00:00:00Z", ())  # type: ignore[attr-defined]
    with aws.connect(cloud.system()) as account:
        baseline.write(account, file)
    good = hunt_aws.look_at_baseline.__wrapped__("cloud")  # type: ignore[attr-defined]

    assert seen.knows("user/anybody")
    assert says in seen.says
    assert [line for line in ghosts.differences if says in line]
    assert not good.knows("user/anybody")


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("scope", ["credential", "everything"])
def test_a_key_of_crisis_itself_that_leaked_is_a_task(scope: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """We cannot end the hand that holds the tool; forgotten it would let the run end green."""
    monkeypatch.setattr(kill_steps, "look_at_baseline", lambda _: SimpleNamespace(knows=lambda _: True))
    about: dict[str, Any] = {"system": "cloud", "kind": "access key", "fate": "rotate"}
    ours, other = (Credential(name=name, holder=f"user/{name}", ours=name == "OURS", **about) for name in ("OURS", "X"))

    plan = kill.plan_kill(Inventory(taken_at=utc_now(), credentials=(ours, other)), ("OURS",), scope)

    steps = {step.action: step.arguments for step in plan.choices[0].steps}
    assert steps["open_task_for_key"]["key"] == "OURS"
    assert "replace it by hand, last" in steps["open_task_for_key"]["because"]
    assert steps.get("rotate_aws_keys", {}).get("keys") == (["X/X"] if scope == "everything" else None)


def test_what_was_off_before_is_no_acquaintance() -> None:
    """A key that had been switched off, and lives after the breach, was switched on by somebody."""
    one = Credential(system="cloud", kind="access key", name="X", fate="rotate", alive=False)

    assert hunt.known_keys(Inventory(taken_at=utc_now(), credentials=(one,)), []) == ()


def test_a_second_turn_that_was_asked_about_is_gone_on_with(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when every stranger was dead and sessions were not ended yet, the run finds no stranger any more."""
    monkeypatch.setattr(kill, "carry_out", lambda *_, **__: ["went on"])
    nothing = Inventory(taken_at=utc_now())
    before = kill.kill_again(nothing, (), "everything", [], hunt.Findings())
    run.journal.append(run.incident, "asked", "responder", {"run": run.id, "gate": "kill-again"})

    assert before == []
    assert kill.kill_again(nothing, (), "everything", [], hunt.Findings()) == ["went on"]  # type: ignore[comparison-overlap]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(("scope", "tasks"), [("everything", ["all that it holds"]), ("credential", [])])
def test_a_system_that_could_not_be_listed_is_a_task(
    scope: Any, tasks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sealed Vault, a reference that cannot be read: nothing of it was ended, so the run does not end green."""
    monkeypatch.setattr(inventory, "attempt", lambda *_: None)  # what remains of a look that failed
    about: dict[str, Any] = {"system": "other", "kind": "token", "name": "t", "fate": "revoke"}
    found = Inventory.of([inventory.take_inventory(), Inventory(taken_at=utc_now(), credentials=(about,))], utc_now())

    plan = kill.plan_kill(found, ("other/token/t",), scope)

    steps = [step.arguments for step in plan.choices[0].steps if step.target == "cloud"]
    assert [step["key"] for step in steps] == tasks
    assert all("start another run, or end it there" in step["because"] for step in steps)
