"""AppRole: the secret ids of a role by accessor; a new one is proved before the old ones go."""

import json
from dataclasses import dataclass

from pydantic import SecretStr

from crisis.clients.vault.seam import Seam
from crisis.clients.vault.tokens import Tokens
from crisis.domain.redaction import TOUCHED
from crisis.errors import RefusedError

__all__ = ["AppRoles", "SecretId"]

MARK = "crisis_incident"
"""The field of a secret id's metadata that says which incident made it."""


@dataclass(frozen=True, slots=True)
class SecretId:
    """A secret id by its public name; `incident` is the one that made it, or empty."""

    accessor: str
    created: str
    incident: str


@dataclass(frozen=True)
class AppRoles:
    """`auth/approle`, wherever it is mounted."""

    seam: Seam

    def roles(self, mount: str) -> list[str]:
        """List the roles."""
        path = f"auth/{mount}/role/"
        return self.seam.ask("LIST", path, operation="list roles", ok=(200, 404)).list()

    def secret_ids(self, mount: str, role: str) -> list[SecretId]:
        """List a role's secret ids by accessor; one that goes meanwhile is left out."""
        found = (self.look_up(mount, role, one) for one in self.accessors(mount, role))
        return [one for one in found if one is not None]

    def accessors(self, mount: str, role: str) -> list[str]:
        """List the accessors alone."""
        path = f"auth/{mount}/role/{role}/secret-id/"
        target = f"{mount}/{role}"
        return self.seam.ask("LIST", path, operation="list secret ids", target=target, ok=(200, 404)).list()

    def look_up(self, mount: str, role: str, accessor: str) -> SecretId | None:
        """Return what a secret id says about itself, or None when there is none."""
        path = f"auth/{mount}/role/{role}/secret-id-accessor/lookup"
        heard = self.seam.ask(
            "POST", path, operation="describe a secret id", target=f"secret id {accessor}",
            body={"secret_id_accessor": accessor}, ok=(200, 404),
        )  # fmt: skip
        if heard.status != 200:  # noqa: PLR2004
            return None
        metadata = heard.data.get("metadata") or {}
        return SecretId(accessor, str(heard.data.get("creation_time") or ""), str(metadata.get(MARK, "")))

    def make(self, mount: str, role: str, incident: str) -> tuple[SecretStr, str]:
        """Make a secret id that says which incident made it; return it and its accessor. It is shown once."""
        path = f"auth/{mount}/role/{role}/secret-id"
        body = {"metadata": json.dumps({MARK: incident})}
        data = self.seam.ask("POST", path, operation="make a secret id", target=f"{mount}/{role}", body=body).data
        secret = SecretStr(str(data["secret_id"]))
        TOUCHED.add(secret)
        return secret, str(data["secret_id_accessor"])

    def destroy(self, mount: str, role: str, accessor: str) -> None:
        """End a secret id; one that is gone is no error. Tokens that it got live on."""
        path = f"auth/{mount}/role/{role}/secret-id-accessor/destroy"
        self.seam.ask(
            "POST", path, operation="destroy a secret id", target=f"secret id {accessor}",
            body={"secret_id_accessor": accessor}, ok=(200, 204, 404),
        )  # fmt: skip

    def opens(self, mount: str, role: str, secret_id: SecretStr) -> bool:
        """
        Say whether a secret id is good, by a login; the token it gets is ended at once.

        A secret id for a few logins only is not used up: the server is asked whether it knows it.
        """
        read = self.seam.ask("GET", f"auth/{mount}/role/{role}", operation="read a role", target=f"{mount}/{role}")
        if read.data.get("secret_id_num_uses"):
            return self._is_known(mount, role, secret_id)
        role_id = self.seam.ask("GET", f"auth/{mount}/role/{role}/role-id", operation="read a role id").data["role_id"]
        heard = self.seam.ask(
            "POST", f"auth/{mount}/login", operation="log in", target=f"{mount}/{role}",
            body={"role_id": role_id, "secret_id": secret_id.get_secret_value()}, ok=(200, 400, 403),
        )  # fmt: skip
        if heard.status != 200:  # noqa: PLR2004
            return False
        self._end(SecretStr(str(heard.auth["client_token"])), str(heard.auth["accessor"]))
        return True

    def _end(self, token: SecretStr, accessor: str) -> None:
        got = self.seam.with_token(token)
        try:
            Tokens(got).revoke_self()
        except RefusedError:
            Tokens(self.seam).revoke(accessor)  # its policies do not let it end itself
        finally:
            got.close()

    def _is_known(self, mount: str, role: str, secret_id: SecretStr) -> bool:
        path = f"auth/{mount}/role/{role}/secret-id/lookup"
        body = {"secret_id": secret_id.get_secret_value()}
        heard = self.seam.ask("POST", path, operation="describe a secret id", target=f"{mount}/{role}", body=body)
        return bool(heard.data.get("secret_id_accessor"))
