"""Evidence: what there was before anything was changed, kept with its hash."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from crisis.domain.change import Change
from crisis.domain.credential import Inventory
from crisis.domain.entry import Entry
from crisis.domain.redaction import Mask
from crisis.engine.action import action, past
from crisis.engine.run import current_run
from crisis.errors import UnprovenError
from tasks.inventory import find_holders, take_inventory


@action(kind="inform", needs=("crisis:home",), undo="none")
def snapshot_leaked(service: str, leaked: tuple[str, ...]) -> Change:
    """
    List what the holders of leaked access keys hold, and keep that with its hash, before they are stopped.

    It takes seconds where an inventory of everything takes minutes, which an intruder would have.

    Again  finds the snapshot of this incident on record and takes no other.
    Undo   none.
    Fails  UnprovenError when the file cannot be read back.
    """
    return _again(service, past(snapshot_leaked, service, leaked)) or _kept(service, "leaked", find_holders(leaked))


@action(kind="inform", needs=("crisis:home",), undo="none")
def snapshot_evidence(service: str) -> Change:
    """
    List every credential with its holder and last use, and keep that with its hash, before anything is ended.

    Again  finds the snapshot of this run on record and takes no other, also when the run is tried again.
    Undo   none.
    Fails  UnprovenError when the file cannot be read back.
    """
    mine = [entry for entry in past(snapshot_evidence, service) if entry.run == current_run().id]
    return _again(service, mine) or _kept(service, "credentials", take_inventory())


def read_evidence(snapshot: Change) -> Inventory:
    """Read a snapshot back. UnprovenError when it is not what the journal says that it was."""
    file = _folder() / str(snapshot.facts["file"])
    text, then = _read(file), "restore it from a copy; the journal has its hash"
    if hashlib.sha256(text.encode()).hexdigest() != snapshot.facts["sha256"]:
        raise UnprovenError(str(file), wanted="the snapshot on record", saw="another text", then=then)
    try:
        return Inventory.model_validate_json(text)
    except ValidationError:
        raise UnprovenError(str(file), wanted="a snapshot", saw="another shape", then=then) from None


def _again(service: str, calls: Iterable[Entry]) -> Change | None:
    """Return the first snapshot among these calls: what was there first is the evidence."""
    found = next((entry for entry in calls if entry.kind == "done"), None)
    return Change.none(service, because="kept already", **found.body["facts"]) if found is not None else None


def _kept(service: str, name: str, listed: Inventory) -> Change:
    # A vendor's note is what some person once typed there.
    found = Inventory.model_validate(Mask().within(listed.model_dump(mode="json")))
    text = found.model_dump_json(indent=1)
    file = _folder() / f"{name}-{found.taken_at:%Y%m%dT%H%M%S%fZ}.json"
    _write(file, text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if _read(file) != text:
        then = "look at the disk of CRISIS_HOME"
        raise UnprovenError(str(file), wanted="the snapshot", saw="another text", then=then)
    facts = {"file": file.name, "sha256": digest, "credentials": len(found.credentials), "unseen": list(found.unseen)}
    return Change.done(service, f"{found.says}; sha256 {digest[:12]}", **facts)


def _folder() -> Path:
    run = current_run()
    return run.settings.home.resolve() / "evidence" / run.incident


def _write(file: Path, text: str) -> None:
    """Write it whole or not at all, for us alone to read."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        saw = getattr(error, "strerror", None) or "no text"
        raise UnprovenError(str(file), wanted="the snapshot", saw=saw, then="restore it from a copy") from None
