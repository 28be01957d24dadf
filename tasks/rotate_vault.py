"""Rotate: put a successor in the place of a secret id, a value, a key or a root, and prove the old one refused."""

import secrets
from typing import Any

from pydantic import Secret, SecretStr

from crisis.clients import vault
from crisis.clients.vault.answers import Answers
from crisis.domain.change import Change
from crisis.domain.systems.vault import AppRole, Place
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import ProtocolError, UnprovenError
from tasks.list_vault import vault_of

_FIELD, _ACCESSOR = "secret_id", "secret_id_accessor"
_BYTES = 32


@action(
    kind="destroy",
    needs=(
        "vault:auth/+/role/+:read", "vault:auth/+/role/+/role-id:read", "vault:auth/+/role/+/secret-id:list,update",
        "vault:auth/+/role/+/secret-id-accessor/lookup:update", "vault:auth/+/role/+/secret-id-accessor/destroy:update",
        "vault:+/data/*:read,create,update", "vault:+/metadata/*:read", "vault:+/destroy/*:update",
    ),
    undo="none",
)  # fmt: skip
def rotate_vault_secret_id(system: str, name: str, turn: int = 1) -> Change:
    """
    Give an AppRole a new secret id where it is kept, and end all its others. `name` is `mount:role`.

    `turn` is 2 once the hole is closed: what was made while it was open is then replaced in its turn.

    Again  finds the secret id that this turn made; one that was made and never stored is ended and made anew.
    Undo   none.
    Fails  UnprovenError when the new one does not log in (the old ones stay then) or an old one still does.
    """
    to, place, mark = vault_of(system), Place.parse(name), _mark(turn)
    role, target = to.approle(place.mount, place.path), f"{system} secret id of {place.mount}:{place.path}"
    if role is None:
        then = f"add it to systems.{system}.approles"
        raise ProtocolError(target, wanted="to know where it is kept", saw="no such role", then=then)
    with vault.connect(to) as client:
        made = _store_successor(client, role, mark, target)
        kept = _kept(client, role)
        version = client.kv.versions(role.kept_in, role.kept_at).current
        if not client.approles.opens(role.mount, role.role, SecretStr(str(kept.get(_FIELD, "")))):
            then = "the old ones were left alive; look at the role"
            raise UnprovenError(target, wanted="the new one to log in", saw="it is refused", then=then)
        ended = _end_others(client, role, str(kept[_ACCESSOR]), target)
    places = {"secret-id": Place(place.mount, place.path, str(kept[_ACCESSOR])).name}
    places["secret"] = Place(role.kept_in, role.kept_at, str(version)).name
    facts = {"successors": [f"{system}/{kind}/{one}" for kind, one in places.items()], "accessor": kept[_ACCESSOR]}
    if not made and not ended:
        return Change.none(target, because="the one that we made is the only one", **facts)
    note = f"a new one is stored and logs in; {ended} old ones are refused"
    return Change.done(target, note, **facts)


@action(kind="destroy", needs=("vault:+/data/*:read,update", "vault:+/metadata/*:read"), undo="none")
def rotate_vault_value(system: str, name: str, field: str) -> Change:
    """
    Write a new random value over one field of a secret. `name` is `mount:path@version`, as it was planned.

    Again  finds a newer version with another value and changes nothing.
    Undo   none; destroy_vault_versions takes the old version away once its users have the new one.
    Fails  UnprovenError when somebody else wrote the old value again, or the field is not there.
    """
    place, target = Place.parse(name), f"{system} {name}"
    with vault.connect(vault_of(system)) as client:
        current = client.kv.versions(place.mount, place.path).current
        written = current == place.number
        if written:
            values = client.kv.read(place.mount, place.path)
            if values is None or field not in values.get_secret_value():
                raise UnprovenError(target, wanted=f"a field {field}", saw="none", then="name one that is there")
            fresh = {**values.get_secret_value(), field: secrets.token_urlsafe(_BYTES)}
            client.kv.write(place.mount, place.path, Secret(fresh), cas=place.number)
        newest = _proved_newer(client, place, target, field)
    if not written:
        return Change.none(target, because=f"version {newest} has another value already", version=newest)
    return Change.done(target, f"version {newest} has a new value", version=newest)


@action(
    kind="destroy",
    needs=("vault:+/data/*:read", "vault:+/metadata/*:read", "vault:+/destroy/*:update"),
    undo="none",
)
def destroy_vault_versions(system: str, name: str) -> Change:
    """
    Remove a version of a secret and all before it for good. `name` is `mount:path@version`.

    Again  finds them destroyed and changes nothing.
    Undo   none.
    Fails  UnprovenError when no newer version with other values has taken its place, or one is readable afterwards.
    """
    place, target = Place.parse(name), f"{system} {name}"
    with vault.connect(vault_of(system)) as client:
        old = client.kv.versions(place.mount, place.path).readable_below(place.number + 1)
        if not old:
            return Change.none(target, because="destroyed already")
        newest = _proved_newer(client, place, target)
        client.kv.destroy(place.mount, place.path, old)
        left = client.kv.versions(place.mount, place.path).readable_below(place.number + 1)
        if left or client.kv.read(place.mount, place.path, place.number) is not None:
            raise UnprovenError(target, wanted="it destroyed", saw=f"versions {left} readable", then="destroy by hand")
    gone = ", ".join(map(str, old))
    return Change.done(target, f"versions {gone} destroyed; version {newest} is in force. Snapshots still hold them")


@action(
    kind="destroy",
    needs=(
        "vault:+/keys/+:read",
        "vault:+/keys/+/rotate:update",
        "vault:+/encrypt/+:update",
        "vault:+/decrypt/+:update",
    ),
    undo="none",
)
def rotate_vault_key(system: str, name: str) -> Change:
    """
    Add a version to a transit key, so that nothing new is encrypted by the old one. `name` is `mount:key@version`.

    Again  finds a newer version than the planned one and adds none.
    Undo   none; old texts stay readable until retire_vault_key_versions.
    Fails  UnprovenError when no newer version encrypts.
    """
    place, target = Place.parse(name), f"{system} {name}"
    with vault.connect(vault_of(system)) as client:
        before = client.transit.key(place.mount, place.path).latest
        if before <= place.number:
            client.transit.rotate(place.mount, place.path)
        latest = client.transit.key(place.mount, place.path).latest
        canary = client.transit.canary(place.mount, place.path, latest)
        if latest <= place.number or not client.transit.opens(place.mount, place.path, canary):
            raise UnprovenError(target, wanted="a newer version that encrypts", saw=f"version {latest}")
    successors = [f"{system}/transit key/{Place(place.mount, place.path, str(latest)).name}"]
    if before > place.number:
        because = f"version {latest} is the newest already"
        return Change.none(target, because=because, version=latest, successors=successors)
    return Change.done(target, f"version {latest} encrypts", version=latest, successors=successors)


@action(
    kind="destroy",
    needs=(
        "vault:+/keys/+:read",
        "vault:+/keys/+/config:update",
        "vault:+/encrypt/+:update",
        "vault:+/decrypt/+:update",
    ),
    undo="readmit_vault_key_versions",
)
def retire_vault_key_versions(system: str, name: str) -> Change:
    """
    Refuse to decrypt by a version of a transit key and all before it. `name` is `mount:key@version`.

    Texts that were not rewrapped cannot be read from then on: rewrap all of them before.

    Again  finds the version refused and changes nothing.
    Undo   readmit_vault_key_versions.
    Fails  UnprovenError when there is no newer version, or a text of the old one still opens.
    """
    place, target = Place.parse(name), f"{system} {name}"
    with vault.connect(vault_of(system)) as client:
        key = client.transit.key(place.mount, place.path)
        if key.least_decrypt > place.number:
            return Change.none(target, because=f"nothing below version {key.least_decrypt} decrypts")
        if key.latest <= place.number:
            raise UnprovenError(target, wanted="a newer version", saw="none", then="rotate_vault_key, then rewrap")
        # A key may refuse to encrypt by its old versions; then its own word must do.
        able = key.least_encrypt <= place.number
        canary = client.transit.canary(place.mount, place.path, place.number) if able else ""
        least = max(key.least_encrypt, place.number + 1) if key.least_encrypt else 0
        client.transit.set_least(place.mount, place.path, decrypt=place.number + 1, encrypt=least)
        opens = bool(canary) and client.transit.opens(place.mount, place.path, canary)
        if opens or client.transit.key(place.mount, place.path).least_decrypt <= place.number:
            raise UnprovenError(target, wanted="it refused", saw="a text of it opens", then="raise it by hand")
    return Change.done(target, f"refused; version {place.number + 1} is the least that decrypts", was=key.least_decrypt)


@action(kind="restore", needs=("vault:+/keys/+:read", "vault:+/keys/+/config:update"), undo="retire_vault_key_versions")
def readmit_vault_key_versions(system: str, name: str) -> Change:
    """
    Let a transit key decrypt by a version again. `name` is `mount:key@version`.

    Again  finds that it decrypts and changes nothing.
    Undo   retire_vault_key_versions.
    Fails  UnprovenError when it is still refused.
    """
    place, target = Place.parse(name), f"{system} {name}"
    with vault.connect(vault_of(system)) as client:
        if client.transit.key(place.mount, place.path).least_decrypt <= place.number:
            return Change.none(target, because="it decrypts already")
        client.transit.set_least(place.mount, place.path, decrypt=place.number)
        if client.transit.key(place.mount, place.path).least_decrypt > place.number:
            raise UnprovenError(target, wanted="it readmitted", saw="it refused", then="lower it by hand")
    return Change.done(target, f"version {place.number} decrypts again")


@action(kind="destroy", needs=("vault:+/reset/+:update", "vault:+/rotate-root/+:update"), undo="none")
def rotate_vault_root(system: str, name: str) -> Change:
    """
    Give a database's root user a password that the server alone knows. `name` is `mount:connection`.

    Again  finds that this run was answered, and proves it. Where it was killed while the server was asked, it rotates
           once more: no server tells when it rotated last, and each of its passwords is one that it keeps.
    Undo   none: nobody can read the password, so the user must be the server's own.
    Fails  UnprovenError when the server does not get into the database, before or afterwards.
    """
    place, target, run = Place.parse(name), f"{system} root {name}", current_run()
    answers = Answers(run.settings.home.resolve(), run.id)
    answered = answers.has(target)
    with vault.connect(vault_of(system)) as client:
        if not client.databases.connects(place.mount, place.path):
            then = "mend the connection first: it would be locked out"
            raise UnprovenError(target, wanted="a server that gets in", saw="one that does not", then=then)
        if not answered:
            client.databases.rotate_root(place.mount, place.path)
            answers.note(target)
        if not client.databases.connects(place.mount, place.path):
            then = "give the user a new password at the database, and write it to the connection"
            raise UnprovenError(target, wanted="the new password to be taken", saw="it is refused", then=then)
    says = "the server gets in with the new password, which nobody else can read"
    return (
        Change.none(target, because=f"rotated already: {says}") if answered else Change.done(target, f"rotated; {says}")
    )


def _mark(turn: int) -> str:
    """Return what marks a secret id as made by this incident, in this turn."""
    incident = current_run().incident
    return incident if turn == 1 else f"{incident}#{turn}"


def _store_successor(client: vault.Vault, role: AppRole, mark: str, target: str) -> bool:
    """Make and store the secret id of this mark, unless it is stored already; return whether one was made."""
    kept = _kept(client, role)
    version = client.kv.versions(role.kept_in, role.kept_at).current
    found = client.approles.secret_ids(role.mount, role.role)
    ours = [one.accessor for one in found if one.incident == mark]
    if kept.get(_ACCESSOR) in ours:
        return False
    for lost in ours:  # made before a crash, never stored: nobody knows it
        client.approles.destroy(role.mount, role.role, lost)
    secret, accessor = client.approles.make(role.mount, role.role, mark)
    values = {**kept, _FIELD: secret.get_secret_value(), _ACCESSOR: accessor}
    if not client.kv.write(role.kept_in, role.kept_at, Secret(values), cas=version):
        client.approles.destroy(role.mount, role.role, accessor)
        saw, then = "another writer", "find out who wrote, and run again"
        raise UnprovenError(target, wanted="to store the new one", saw=saw, then=then)
    return True


def _end_others(client: vault.Vault, role: AppRole, accessor: str, target: str) -> int:
    """End all secret ids but one, prove by the stored old ones that they are refused, and destroy those texts."""
    others = [one for one in client.approles.accessors(role.mount, role.role) if one != accessor]
    for old in others:
        client.approles.destroy(role.mount, role.role, old)
    left = [one for one in client.approles.accessors(role.mount, role.role) if one != accessor]
    if left:
        saw = f"{len(left)} others: {', '.join(left)}"
        raise UnprovenError(target, wanted="one secret id", saw=saw, then="destroy them by hand")
    versions = client.kv.versions(role.kept_in, role.kept_at)
    stored = versions.readable_below(versions.current)
    for number in stored:
        text = client.kv.read(role.kept_in, role.kept_at, number)
        secret = SecretStr(str(text.get_secret_value().get(_FIELD) or "") if text else "")
        if secret.get_secret_value() and client.approles.opens(role.mount, role.role, secret):
            saw = f"that of version {number} logs in"
            raise UnprovenError(target, wanted="the old one refused", saw=saw, then="look at the role by hand")
    if stored:
        client.kv.destroy(role.kept_in, role.kept_at, stored)
    return len(others)


def _kept(client: vault.Vault, role: AppRole) -> dict[str, Any]:
    values = client.kv.read(role.kept_in, role.kept_at)
    return values.get_secret_value() if values is not None else {}


def _proved_newer(client: vault.Vault, place: Place, target: str, field: str = "") -> int:
    """Return the number of the version in force; UnprovenError unless it is newer and says something else."""
    newest = client.kv.versions(place.mount, place.path).current
    now = client.kv.read(place.mount, place.path)
    if newest <= place.number or now is None:
        raise UnprovenError(target, wanted="a newer version in force", saw=f"version {newest}", then="write one first")
    old = client.kv.read(place.mount, place.path, place.number)
    if old is not None and _picked(old, field) == _picked(now, field):
        saw, then = f"the old value in version {newest}", "find out who wrote it, and write a new one"
        raise UnprovenError(target, wanted="a new value", saw=saw, then=then)
    return newest


def _picked(values: Secret[dict[str, Any]], field: str) -> Any:
    return values.get_secret_value().get(field) if field else values.get_secret_value()
