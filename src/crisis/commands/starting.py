"""Start a playbook at a running `crisis up`, by its deployment's name."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console

from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.protocol_file import load_protocol
from crisis.settings import UP_FILE, Settings

__all__ = ["prefect_api", "start_playbook"]


def start_playbook(
    settings: Settings,
    playbook: str,
    service: str,
    summary: str,
    level: int,
    requester: str | None,
    console: Console,
    more: Mapping[str, Any],
    key: str = "",
) -> None:
    """
    Create a run of a playbook's deployment, with `more` that it alone asks for; say where to follow it.

    Two with the same `key` are one run.
    """
    protocol = load_protocol(settings.protocol_file)
    if service not in protocol.services:
        known = ", ".join(protocol.services)
        raise ProtocolError(f"service {service!r}", wanted=f"one of: {known}", saw="an unknown one")
    if requester is not None and requester not in protocol.people:
        known = ", ".join(protocol.people)
        raise ProtocolError(f"person {requester!r}", wanted=f"one of: {known}", saw="an unknown one")
    parameters: dict[str, Any] = {"service": service, "summary": summary, "level": level, "requester": requester}
    parameters |= {"source": "command line", **more}
    api = prefect_api(settings)
    with httpx.Client(base_url=api, timeout=15, trust_env=False) as client:
        name = playbook.replace("_", "-")
        deployment = _ask(client, "GET", f"/deployments/name/{name}/{name}", playbook, known=_known(client))
        body: dict[str, Any] = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        body |= {"idempotency_key": key} if key else {}
        made = _ask(client, "POST", f"/deployments/{deployment['id']}/create_flow_run", playbook, body=body)
    console.print(
        f"started {playbook} for {service}: {api.removesuffix('/api')}/runs/flow-run/{made['id']}", soft_wrap=True
    )


def prefect_api(settings: Settings) -> str:
    """Return the API of the Prefect in use; ProtocolError when nothing is up."""
    if settings.outside_prefect:
        return settings.outside_prefect
    try:
        return str(json.loads((settings.home / UP_FILE).read_text(encoding="utf-8"))["prefect_api"])
    except (OSError, ValueError, KeyError):
        then = "start `crisis up`, or set PREFECT_API_URL"
        raise ProtocolError("crisis up", wanted="a running one", saw=f"none in {settings.home}", then=then) from None


def _known(client: httpx.Client) -> str:
    try:
        found = client.post("/deployments/filter", json={"limit": 100}).json()
    except (httpx.HTTPError, ValueError):
        return ""
    return ", ".join(sorted(one["name"] for one in found))


def _ask(
    client: httpx.Client, method: str, path: str, playbook: str, *, body: dict[str, Any] | None = None, known: str = ""
) -> dict[str, Any]:
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        says = type(error).__name__
        raise TransientError(
            playbook, vendor="prefect", operation="start", saw=says, then="is `crisis up` up?"
        ) from None
    if answer.status_code == 404:  # noqa: PLR2004
        raise ProtocolError(f"playbook {playbook!r}", wanted=f"one of: {known}", saw="an unknown one")
    if answer.is_error:
        saw = f"{answer.status_code}: {answer.text[:200]}"
        raise RefusedError(playbook, vendor="prefect", operation="start", wanted="a run", saw=saw)
    return dict(answer.json())
