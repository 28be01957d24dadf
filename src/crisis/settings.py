"""Settings: the one place where the environment is read. Values leave here as arguments."""

import os
import secrets
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crisis.domain.redaction import TOUCHED
from crisis.errors import ProtocolError

__all__ = [
    "UP_FILE",
    "Settings",
    "host_environment",
    "make_home",
    "new_token",
    "read_address",
    "read_reference",
    "settings_at",
]

UP_FILE = "up.json"
"""Where in its home a running `crisis up` says what it serves."""

_KEY_FILE = "signing.key"
_KEY_LENGTH = 32
_VAULT_SECONDS = 5
"""How long Vault may take: an alert waits for the secret that proves its sender."""


class Settings(BaseSettings):
    """Where things are. Each field is the environment variable `CRISIS_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="CRISIS_", frozen=True, populate_by_name=True)

    home: Path = Field(default=Path(".crisis"), description="where journal, clones and Prefect database live")
    project: Path = Field(default=Path(), description="the checkout: flows/, tasks/, prefect.yaml")
    protocol: Path | None = Field(default=None, description="by default protocol.yaml in the project")
    journal_url: str | None = Field(default=None, description="SQLAlchemy URL; by default SQLite in home")
    host: str = Field(default="127.0.0.1", description="address the receiver listens on")
    port: int = Field(default=4280, description="port of the receiver")
    public_url: str | None = Field(default=None, description="the receiver's address as people open it")
    prefect_port: int = Field(default=4200, description="port of the embedded Prefect server")
    lease: float = Field(default=6.0, gt=0.5, description="seconds after which a silent run counts as dead")

    schedules: bool = Field(default=True, description="whether prefect.yaml's schedules are in force")
    drill: bool = Field(default=False, description="whether everything here is a rehearsal")
    incidents_since: AwareDatetime | None = Field(
        default=None,
        description="no alert joins an incident that was opened before this time, or waits for its cool-down; "
        "each drill sets it, because its services are new",
    )

    log: Literal["text", "json"] = Field(default="text", description="how `crisis up` writes its log: text or json")
    log_level: Literal["debug", "info", "warning"] = Field(
        default="info", description="from what on crisis logs its own doings: debug, info or warning"
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="what a Prometheus shows to read /metrics, as a bearer token; without it this machine alone may",
    )

    signing_key_text: SecretStr | None = Field(
        default=None,
        validation_alias="CRISIS_SIGNING_KEY",
        description="signs links and sessions, 32 characters or more; by default made once and kept in home",
    )
    proxy_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="header in which a proxy that asks for a login says who it is; not believed unless set",
    )
    proxy_from: str = Field(
        default="",
        validate_default=True,
        description="addresses that this proxy comes from, for example `10.0.0.5, 10.1.0.0/16`",
    )

    @field_validator("proxy_from")
    @classmethod
    def _goes_with_the_header(cls, value: str, info: ValidationInfo) -> str:
        _networks(value)
        if bool(value.strip()) != bool(info.data.get("proxy_header")):
            raise ValueError("it goes with CRISIS_PROXY_HEADER; set both or neither")
        return value

    @property
    def protocol_file(self) -> Path:
        """The protocol file in force."""
        return self.protocol or self.project / "protocol.yaml"

    @property
    def journal(self) -> str:
        """The journal's SQLAlchemy URL."""
        return self.journal_url or f"sqlite:///{self.home.resolve() / 'journal.db'}"

    @property
    def address(self) -> str:
        """The receiver's address, for links."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @cached_property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that the proxy which asks for a login comes from."""
        return _networks(self.proxy_from)

    def signing_key(self) -> bytes:
        """
        Return the key that signs links, sessions and votes here; the first call makes it where none is set.

        Sign by `crisis.domain.seal`, which keeps purposes apart. Raises ProtocolError when it is missing or too short.
        """
        if self.signing_key_text is not None:
            return _long_enough(self.signing_key_text.get_secret_value(), "CRISIS_SIGNING_KEY")
        file = self.home / _KEY_FILE
        try:
            if not file.exists():
                make_home(self.home)
                _make_key(file)
            return _long_enough(file.read_text(encoding="utf-8"), str(file))
        except (OSError, UnicodeError) as error:
            says = getattr(error, "strerror", None) or "no text"
            then = "mend its mode, or set CRISIS_SIGNING_KEY"
            raise ProtocolError(str(file), wanted="a readable signing key", saw=says, then=then) from None

    @cached_property
    def outside_prefect(self) -> str | None:
        """The Prefect API that the environment names; None where the embedded one serves."""
        return os.environ.get("PREFECT_API_URL")

    @property
    def prefect_api(self) -> str:
        """The Prefect API in use."""
        return self.outside_prefect or f"http://127.0.0.1:{self.prefect_port}/api"

    def environment(self) -> dict[str, str]:
        """Return the environment for the processes that `crisis up` starts: ours and Prefect's."""
        home, _ = self.home.resolve(), self.outside_prefect  # remembered before it is overwritten
        return {
            "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).parent / "engine" / "prefect_logging.yml"),
            **os.environ,
            "CRISIS_HOME": str(home),
            "CRISIS_PROJECT": str(self.project.resolve()),
            "CRISIS_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.project.resolve()), os.environ.get("PYTHONPATH")])),
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": self.prefect_api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            # By default any page an operator has open may call the API; ours is for its own UI alone.
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{self.prefect_port},http://localhost:{self.prefect_port}",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
            "DO_NOT_TRACK": "1",
        }

    def adopt(self) -> None:
        """Put `environment` into force in this process and in all that it starts."""
        os.environ.update(self.environment())


def host_environment(**more: str) -> dict[str, str]:
    """Return this process's environment with more variables, for a child process."""
    return {**os.environ, **more}


def make_home(home: Path) -> None:
    """Make the folder that everything is kept in, readable for us alone; ProtocolError says why it cannot be."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        says = error.strerror or "an error"
        raise ProtocolError(str(home), wanted="a folder to write to", saw=says, then="set CRISIS_HOME") from None


def read_reference(reference: str) -> SecretStr:
    """
    Read the secret that a reference names, at the moment of use.

    Raises ProtocolError that names the reference and never its value.
    """
    kind, _, where = reference.partition(":")
    readers = {"env": _from_environment, "file": _from_file, "vault": _from_vault, "block": _from_block}
    if kind not in readers:
        raise ProtocolError(reference, wanted="env:, file:, vault: or block:", saw="another kind of reference")
    secret = SecretStr(readers[kind](where, reference))
    TOUCHED.add(secret)  # from here on it is masked wherever it might be written
    return secret


def read_address(address: str) -> str:
    """Return an address, read from the environment where it says `env:NAME`; without a slash at its end."""
    if not address.startswith("env:"):
        return address.rstrip("/")
    return _from_environment(address.removeprefix("env:"), address).rstrip("/")


def new_token() -> str:
    """Return a fresh random token."""
    return secrets.token_urlsafe(24)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _make_key(file: Path) -> None:
    """Make a key that appears whole or not at all; where two try, the first one's stays."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
        new.write(secrets.token_bytes(_KEY_LENGTH).hex())
        new.flush()
        os.fsync(new.fileno())
    try:
        # Unlike a rename, a link never takes the place of a key that somebody already signs with.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _long_enough(text: str, where: str) -> bytes:
    key = text.strip()
    if len(key) < _KEY_LENGTH:
        saw = f"{len(key)} characters"
        then = "put a longer random text there"
        raise ProtocolError(where, wanted=f"a key of {_KEY_LENGTH} characters or more", saw=saw, then=then)
    return key.encode()


def _from_environment(name: str, reference: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ProtocolError(reference, wanted=f"the variable {name}", saw="none", then=f"set {name} where crisis runs")
    return value


def _from_file(where: str, reference: str) -> str:
    try:
        return Path(where).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        says = getattr(error, "strerror", None) or "no text"
        raise ProtocolError(reference, wanted="a readable file", saw=says, then="mend its path or mode") from None


def _from_vault(where: str, reference: str) -> str:
    import hvac  # noqa: PLC0415 - half a second that only users of Vault should pay

    path, _, key = where.partition("#")
    mount, _, rest = path.partition("/")
    client = hvac.Client(timeout=_VAULT_SECONDS)
    try:
        found = client.secrets.kv.v2.read_secret_version(path=rest, mount_point=mount, raise_on_deleted_version=True)
        return str(found["data"]["data"][key])
    except (hvac.exceptions.VaultError, KeyError, OSError) as error:
        says, then = type(error).__name__, "check VAULT_ADDR and the policy"
        raise ProtocolError(reference, wanted="a secret in Vault", saw=says, then=then) from None


def _from_block(where: str, reference: str) -> str:
    import httpx  # noqa: PLC0415
    from prefect.blocks.system import Secret  # noqa: PLC0415 - loads all of Prefect

    wanted = "a Prefect Secret block"
    try:
        return str(Secret.load(where).get())  # type: ignore[union-attr]
    except ValueError:
        raise ProtocolError(reference, wanted=wanted, saw="none", then="create it") from None
    except httpx.HTTPError as error:
        raise ProtocolError(reference, wanted=wanted, saw=type(error).__name__, then="is Prefect up?") from None


def settings_at(home: Path | None) -> Settings:
    """Return the settings, with the folder of the journal where one is named; ProtocolError for what cannot be read."""
    try:
        return Settings() if home is None else Settings(home=home)
    except ValidationError as error:
        wrong = "; ".join(f"CRISIS_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        then = "see docs/reference/settings.md"
        raise ProtocolError("settings", wanted="values that can be read", saw=wrong, then=then) from None
