"""
Rotation: an access key dies, and another takes its place where its consumers look.

The state of a rotation is the world's: which keys the user has, and which key each stage of its secret holds and
replaces. So a run that was killed anywhere is taken up by the next one, which makes no second successor.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from crisis.clients.aws import Account
from crisis.clients.aws.keys import LIMIT, AccessKey
from crisis.clients.aws.knock import prove_accepted, prove_refused
from crisis.clients.aws.store import Held
from crisis.errors import UnprovenError

__all__ = ["Rotated", "Rotation"]

_PASSES = 5
"""How often strangers are looked for: somebody may still be making them."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """
    What became of one key; public ids only.

    `strangers` are keys that nobody knew, of an attacker or of a crash, now dead; `deleted` made room.
    """

    user: str
    old: str
    new: str = ""
    kept_at: str = ""
    changed: bool = True
    strangers: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass
class _Place:
    """A secret of the user, the versions of its stages, and the keys that two of them hold."""

    name: str
    stages: dict[str, str] = field(default_factory=dict)
    current: Held | None = None
    pending: Held | None = None

    @property
    def held(self) -> list[Held]:
        """What stands here, the current first."""
        return [one for one in (self.current, self.pending) if one is not None]

    def holds(self, key_id: str) -> bool:
        """Whether a key stands here, or stood here before."""
        return any(one.id == key_id or key_id in one.replaces for one in self.held)

    def successor(self, key_id: str) -> Held | None:
        """Return the key that was made in place of another one."""
        return next((one for one in self.held if key_id in one.replaces), None)


@dataclass
class Rotation:
    """
    The rotation of one key of one user.

    `known` are the ids of the keys that were there when the plan was made: a key that is neither among them nor kept
    in a secret is a stranger. `siblings` are the user's other keys in the plan: their successors may be kept in
    secrets so new that AWS does not list them yet. Raises UnprovenError when the old key goes on working: then
    nothing else was changed.
    """

    account: Account
    user: str
    old: str
    known: frozenset[str]
    siblings: frozenset[str] = frozenset()
    _strangers: list[str] = field(default_factory=list)
    _deleted: list[str] = field(default_factory=list)
    _changed: bool = False
    _made: set[str] = field(default_factory=set)
    _places: dict[str, _Place] = field(default_factory=dict)

    def run(self) -> Rotated:
        """Go from wherever it is to the end, and prove it."""
        began = time.monotonic()
        self.account.keys.refuse_own(self.old)
        keys = self.account.keys.of(self.user)
        place = self._place()
        if place is None and not any(one.id == self.old for one in keys):
            return Rotated(self.user, self.old, changed=False)
        if place is None:
            place = _Place(self.account.store.name_for(self.user, self.old))
            self.account.store.begin(place.name)
        self._kill_old(keys, place)
        self._bury_strangers(keys)
        new = self._living(place.successor(self.old)) or self._make(place)
        self._hand_over(new, place.stages)
        self._look_again(new)
        return Rotated(
            self.user, self.old, new.id, place.name, self._changed, tuple(self._strangers), tuple(self._deleted),
            round(time.monotonic() - began, 3),
        )  # fmt: skip

    def _place(self) -> _Place | None:
        """Find the secret of the old key; no more secrets are read than it takes."""
        own = self.account.store.name_for(self.user, self.old)
        for name in self.account.store.names(self.user):
            if name != own and self._read(name).holds(self.old):
                return self._read(name)
        # Asked for by its name: made a moment ago, the listing may not know it yet.
        return self._read(own) if self.account.store.exists(own) else None

    def _read(self, name: str) -> _Place:
        """Read a secret, once in a rotation."""
        if name not in self._places:
            store = self.account.store
            stages = store.stages(name)
            current, pending = stages.get("AWSCURRENT"), stages.get("AWSPENDING")
            self._places[name] = _Place(
                name, stages, store.read(name, "AWSCURRENT") if current else None,
                store.read(name, "AWSPENDING") if pending not in (None, current) else None,
            )  # fmt: skip
        return self._places[name]

    def _kill_old(self, keys: Iterable[AccessKey], place: _Place) -> None:
        key = next((one for one in keys if one.id == self.old), None)
        if key is not None and key.active:
            self.account.keys.switch(key, on=False)
            self._changed = True
        current = place.current
        secret = current.secret if current is not None and current.id == self.old else None
        prove_refused(self.account.session, self.old, self.account.patience, secret)

    def _bury_strangers(self, keys: Iterable[AccessKey]) -> None:
        """Switch off what nobody knows; the answer of a lost call looks like an attacker's key, and dies like one."""
        for key in keys:
            if key.active and self._is_strange(key):
                self.account.keys.switch(key, on=False)
                prove_refused(self.account.session, key.id, self.account.patience)
                self._strangers.append(key.id)
                self._changed = True

    def _is_strange(self, key: AccessKey) -> bool:
        if key.id in self.known | self._made | {self.old, self.account.session.own_key}:
            return False
        # Read only for a key that the plan did not know: the successor of the user's other key is kept elsewhere.
        store = self.account.store
        unlisted = {store.name_for(self.user, one) for one in self.siblings}
        names = {*store.names(self.user), *self._places, *unlisted}
        return not any(one.id == key.id for name in names for one in self._read(name).held)

    def _living(self, held: Held | None) -> Held | None:
        """Return a successor whose key is still there and on."""
        if held is None:
            return None
        keys = self.account.keys.of(self.user)
        return held if any(one.id == held.id and one.active for one in keys) else None

    def _make(self, place: _Place) -> Held:
        """Make a successor and keep it at once."""
        self._make_room()
        before = place.successor(self.old) or place.current
        replaces = (*before.replaces, before.id) if before is not None else ()
        key = self.account.keys.make(self.user)
        self._changed = True
        self._made.add(key.id)
        return self.account.store.put(place.name, key, tuple(dict.fromkeys([*replaces, self.old])))

    def _make_room(self) -> None:
        """Delete one dead key where the user has two: a stranger's, or the old one itself; no other, dead or alive."""
        keys = self.account.keys.of(self.user)
        self._bury_strangers(keys)
        if len(keys) < LIMIT:
            return
        # Another key of the plan, or one that was switched off to contain its holder, is not ours to delete here.
        strangers = [one for one in keys if one.id in self._strangers or (not one.active and self._is_strange(one))]
        dead = [*strangers, *(one for one in keys if one.id == self.old)]
        if not dead:
            saw = " and ".join(one.id for one in keys)
            then = "find out which of them nobody uses, deactivate it, and run this again"
            raise UnprovenError(f"user {self.user}", wanted="room for a new key", saw=f"{saw} in use", then=then)
        self.account.keys.delete(dead[0])
        self._deleted.append(dead[0].id)
        self._changed = True

    def _hand_over(self, new: Held, stages: dict[str, str]) -> None:
        """Prove the successor before anybody depends on it, then let consumers see it and nothing older."""
        prove_accepted(self.account.session, new.id, self.account.patience, new.secret)
        current = stages.get("AWSCURRENT")
        if current is None:  # the first version of a secret becomes current by itself
            return
        self.account.store.promote(new, stages)
        # AWS moves AWSPREVIOUS to what was current before; without a move it is where it was.
        previous = current if current != new.version else stages.get("AWSPREVIOUS")
        if previous is not None:
            self.account.store.strip(new.name, {"AWSPREVIOUS": previous})
            self._changed = True

    def _look_again(self, new: Held) -> None:
        """Prove the end by the world: one living successor, the old key refused, no stranger left."""
        for _ in range(_PASSES):
            keys = self.account.keys.of(self.user)
            strangers = [one for one in keys if one.active and self._is_strange(one)]
            if not strangers:
                break
            self._bury_strangers(strangers)
        else:
            then = "contain the user first: somebody makes new keys as fast as they die"
            raise UnprovenError(f"user {self.user}", wanted="no key that nobody knows", saw=strangers[0].id, then=then)
        alive = {one.id for one in keys if one.active}
        stages = self.account.store.stages(new.name)
        kept = stages.get("AWSCURRENT") == new.version and "AWSPREVIOUS" not in stages
        if self.old in alive or new.id not in alive or not kept:
            saw = f"active: {', '.join(sorted(alive)) or 'none'}; kept: {'the new one alone' if kept else 'another'}"
            raise UnprovenError(f"access key {self.old}", wanted=f"{new.id} in its place", saw=saw, then="run it again")
