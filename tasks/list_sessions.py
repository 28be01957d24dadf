"""List what signs sessions: the secret or the key ids in force, by names that show nothing."""

from crisis.clients.sessions import connect
from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.domain.leak import fingerprint, fingerprint_key
from crisis.domain.systems import JwtSessions, SessionSecret
from crisis.engine.look import observation
from crisis.engine.run import current_run

_WITH_DATA = "stored data is encrypted with it too: rotate it together with that data"


@observation
def list_signing_keys(system: str) -> Inventory:
    """List the keys that sign sessions now: a secret by its fingerprint, a key set by its key ids."""
    found = current_run().protocol.systems[system]
    by_hand = isinstance(found, SessionSecret) and found.encrypts_data
    keys = tuple(
        Credential(
            system=system, kind="signing key", name=name, fate="by hand" if by_hand else "rotate",
            note=_WITH_DATA if by_hand else "every session that it signed ends with it",
        )
        for name in signing_keys(system)
    )  # fmt: skip
    return Inventory(taken_at=utc_now(), credentials=keys)


def signing_keys(system: str) -> tuple[str, ...]:
    """Name the keys that sign sessions in a system; none where sessions are only stored. Equal within an incident."""
    run = current_run()
    found = run.protocol.systems[system]
    if not isinstance(found, SessionSecret | JwtSessions):
        return ()
    with connect(found) as store:
        mark = store.mark()
    if isinstance(found, JwtSessions):
        return tuple(mark.split())
    return (fingerprint(fingerprint_key(run.settings.signing_key(), run.incident), mark),)
