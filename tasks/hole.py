"""Hole: how the intruder came in, and what keeps the next one out."""

from datetime import timedelta

from crisis.domain.change import Change
from crisis.domain.plan import Choice, Plan
from crisis.engine.action import action, step
from crisis.engine.look import observation
from tasks.verify import verify_users

_TAKES = timedelta(seconds=5)


@observation
def plan_hole(service: str) -> Plan:
    """Ask how the hole was closed: by a release that is proved from outside, or by a control that is in force."""
    fixed = step(confirm_fix, now="open, as far as we know", wanted="the fix serves users", service=service)
    held = step(confirm_control, now="open, as far as we know", wanted="a control stops its use", service=service)
    return Plan(
        gate="hole",
        title=f"How was the hole in {service} closed?",
        choices=(
            Choice(name="fix released", summary="say which release, as the reason", steps=(fixed,)),
            Choice(name="control in force", summary="say which control and its test, as the reason", steps=(held,)),
        ),
        blast_radius=("nothing changes by the answer; what was rotated while the hole was open is rotated once more",),
        notes=("release the fix through the tested path; while deployments are frozen, by the gate of the freeze",),
        takes=_TAKES,
        on_no="the hole counts as open: the run ends unproved, and people are called",
    )


@action(kind="restore", needs=("crisis:journal",), undo="none")
def confirm_fix(service: str) -> Change:
    """
    Take it on record that the fix is released, once every primary journey works from outside.

    Again  proves the journeys once more.
    Undo   none.
    Fails  UnprovenError when a journey fails: a fix that breaks the service is not one.
    """
    verify_users(service)
    return Change.done(service, "closed by a release, and users get through")


@action(kind="restore", needs=("crisis:journal",), undo="none")
def confirm_control(service: str) -> Change:
    """
    Take it on record that a control stops the use of the hole, though it is still there.

    Again  finds the same answer.
    Undo   none.
    Fails  never.
    """
    return Change.done(service, "a control is in force; the hole itself is still to be mended")
