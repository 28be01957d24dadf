"""Inventory: everything that a Vault can enumerate, and what it would not let us see."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crisis.clients.vault import Vault
from crisis.clients.vault.tokens import TokenInfo
from crisis.domain import systems
from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Fate, Inventory
from crisis.domain.systems.vault import Place
from crisis.errors import RefusedError

__all__ = ["take"]

_AT_ONCE = 8


def take(client: Vault, name: str, system: systems.Vault) -> Inventory:
    """List the credentials of a server; what is refused stands in `unseen`, and hides nothing else."""
    survey = _Survey(client, name, system)
    return Inventory(taken_at=utc_now(), credentials=tuple(survey.run()), unseen=tuple(survey.unseen))


@dataclass
class _Survey:
    client: Vault
    name: str
    system: systems.Vault
    unseen: list[str] = field(default_factory=list)

    def run(self) -> list[Credential]:
        found = [*self._try(self._tokens), *self._try(self._leases)]
        engines: tuple[tuple[str, Callable[[str], Iterable[Credential]]], ...] = (
            ("approle", self._secret_ids),
            ("kv 2", self._versions),
            ("transit", self._keys),
            ("database", self._roots),
        )
        mounts = self._mounts()
        for kind, ask in engines:
            for mount in mounts.get(kind, ()):
                found += self._try(partial(ask, mount))
        return found

    def _mounts(self) -> dict[str, list[str]]:
        kinds = ("approle", "kv 2", "transit", "database")
        try:
            mounts = self.client.server.mounts()
        except RefusedError as error:
            self._note(error)
            return {}
        return {kind: mounts.of(kind) for kind in kinds}

    def _try(self, ask: Callable[[], Iterable[Credential]]) -> list[Credential]:
        found: list[Credential] = []
        try:
            found.extend(ask())
        except RefusedError as error:
            self._note(error)
        return found

    def _note(self, error: RefusedError) -> None:
        self.unseen.append(f"{self.name}: could not {error.operation}: {error.saw}")

    def _one(self, kind: str, name: str, fate: Fate, **more: Any) -> Credential:
        return Credential(system=self.name, kind=kind, name=name, fate=fate, **more)

    def _tokens(self) -> Iterator[Credential]:
        me = self.client.tokens.me()
        accessors = self.client.tokens.accessors()
        # One request each: in a row, a thousand tokens would cost half a minute.
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for info in pool.map(self.client.tokens.look_up, accessors):
                if info is not None:
                    ours = info.accessor == me.accessor
                    note = "our own: it goes last" if ours else _described(info)
                    # Without an entity nothing tells that two tokens are the same one's.
                    yield self._one(
                        "token", info.accessor, "revoke", holder=info.entity, created=info.created, ours=ours, note=note
                    )  # fmt: skip

    def _leases(self) -> Iterator[Credential]:
        leases = [one for root in self.client.leases.roots() for one in self._below(root)]
        folders = Counter(self._prefix_of(one) or one.rpartition("/")[0] for one in leases)
        for folder, count in sorted(folders.items()):
            approved = folder in self._prefixes
            if folder.startswith("auth/") and not approved:
                continue  # tokens, which are listed by accessor
            note = f"{count} leases" + ("" if approved else "; not among the prefixes of protocol.yaml")
            yield self._one("leases", folder, "revoke" if approved else "by hand", note=note)

    @property
    def _prefixes(self) -> list[str]:
        return [one.strip("/") for one in self.system.prefixes]

    def _prefix_of(self, lease: str) -> str:
        """Return the prefix of protocol.yaml that a lease is revoked by, the narrowest one; empty for none."""
        return max((one for one in self._prefixes if lease.startswith(f"{one}/")), key=len, default="")

    def _below(self, root: str) -> list[str]:
        return self.client.leases.below(root) if root.endswith("/") else [root]

    def _secret_ids(self, mount: str) -> Iterator[Credential]:
        for role in self.client.approles.roles(mount):
            known = self.system.approle(mount, role)
            fate: Fate = "rotate" if known else "by hand"
            note = "" if known else "protocol.yaml does not say where it is kept"
            for accessor in self.client.approles.accessors(mount, role):
                name = Place(mount, role, accessor).name
                yield self._one("secret-id", name, fate, holder=f"{mount}/{role}", note=note)

    def _versions(self, mount: str) -> Iterator[Credential]:
        for path in self.client.kv.paths(mount):
            versions = self.client.kv.versions(mount, path)
            for number in versions.readable_below(versions.current + 1):
                now = number == versions.current
                note = "" if now else f"{versions.fates[number]}; version {versions.current} took its place"
                name = Place(mount, path, str(number)).name
                yield self._one("secret", name, "rotate" if now else "revoke", holder=f"{mount}/{path}", note=note)

    def _keys(self, mount: str) -> Iterator[Credential]:
        for name in self.client.transit.names(mount):
            key = self.client.transit.key(mount, name)
            for number in range(max(key.least_decrypt, 1), key.latest + 1):
                fate: Fate = "rotate" if number == key.latest else "disable"
                place = Place(mount, name, str(number)).name
                yield self._one("transit key", place, fate, holder=f"{mount}/{name}")

    def _roots(self, mount: str) -> Iterator[Credential]:
        for name in self.client.databases.connections(mount):
            user = self.client.databases.user(mount, name)
            yield self._one("database root", Place(mount, name).name, "rotate", holder=user)


def _described(info: TokenInfo) -> str:
    return f"{', '.join(info.policies)}; from {info.path}"
