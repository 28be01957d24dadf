"""Deployments: prefect.yaml, read strictly. Prefect itself ignores a misspelt key in silence."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from crisis.errors import ProtocolError

__all__ = ["Deployment", "read_deployments"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Strict):
    """When a deployment runs by itself."""

    cron: str
    timezone: str = "UTC"
    slug: str | None = None
    active: bool = True
    parameters: dict[str, Any] = {}


class Deployment(_Strict):
    """One flow as Prefect shows and starts it."""

    name: str
    entrypoint: str
    description: str = ""
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    schedules: list[Schedule] = []

    @property
    def module(self) -> str:
        """The dotted module of its flow."""
        return ".".join(Path(self.entrypoint.partition(":")[0]).with_suffix("").parts)


class _File(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    deployments: list[Deployment]


def read_deployments(file: Path) -> list[Deployment]:
    """Read the deployments of a prefect.yaml; ProtocolError names every key that Prefect would ignore."""
    try:
        data = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        return _File.model_validate(data).deployments
    except OSError as error:
        raise ProtocolError(str(file), wanted="a readable prefect.yaml", saw=error.strerror or "an error") from None
    except YAMLError as error:
        raise ProtocolError(str(file), wanted="valid YAML", saw=" ".join(str(error).split())[:200]) from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ProtocolError(str(file), wanted="deployments as Prefect reads them", saw=wrong) from None
