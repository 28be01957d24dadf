"""KV version 2: versions, check-and-set, a delete that can be undone and a destroy that cannot."""

from datetime import UTC, datetime
from typing import Any

from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing

__all__ = ["PAGES"]

_KEPT = 10


def _secret(call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = call.mount.store.get(call.parts["path"])
    if found is None:
        raise Refused(404)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _shown(number: int, version: dict[str, Any], secret: dict[str, Any]) -> dict[str, Any]:
    told = {name: version[name] for name in ("created_time", "deletion_time", "destroyed")}
    return {**told, "version": number, "custom_metadata": secret["custom_metadata"]}


def _read(call: Call) -> Reply:
    secret = _secret(call)
    number = int(call.query.get("version") or 0) or secret["current_version"]
    version = secret["versions"].get(number)
    if version is None:
        raise Refused(404)
    shown = _shown(number, version, secret)
    if version["destroyed"] or version["deletion_time"]:
        raise Refused(404, body=data({"data": None, "metadata": shown}).body)
    return data({"data": version["data"], "metadata": shown})


def _write(call: Call) -> Reply:
    values = call.body.get("data")
    if not isinstance(values, dict):
        raise Refused(400, "no data provided")
    blank = {"current_version": 0, "versions": {}, "custom_metadata": None, "created_time": _now(), "max_versions": 0}
    secret = call.mount.store.get(call.parts["path"], blank)
    cas = (call.body.get("options") or {}).get("cas")
    if cas is not None and int(cas) != secret["current_version"]:
        raise Refused(400, "check-and-set parameter did not match the current version")
    call.mount.store[call.parts["path"]] = secret
    number = secret["current_version"] = secret["current_version"] + 1
    made = {"data": dict(values), "created_time": _now(), "deletion_time": "", "destroyed": False}
    secret["versions"][number] = made
    for old in sorted(secret["versions"])[: -(secret["max_versions"] or _KEPT)]:
        del secret["versions"][old]
    return data(_shown(number, made, secret))


def _mark(call: Call, numbers: list[int], **marks: Any) -> Reply:
    secret = _secret(call)
    for number in numbers:
        version = secret["versions"].get(int(number))
        if version is not None and not version["destroyed"]:
            version.update(marks)
            if marks.get("destroyed"):
                version["data"] = None
    return nothing()


def _chosen(call: Call) -> list[int]:
    if not call.body.get("versions"):
        raise Refused(400, "no version number provided")
    return list(call.body["versions"])


def _destroy(call: Call) -> Reply:
    if "destroy" in call.state.faults.lying:
        return nothing()
    return _mark(call, _chosen(call), destroyed=True)


def _delete_newest(call: Call) -> Reply:
    return _mark(call, [_secret(call)["current_version"]], deletion_time=_now())


def _metadata(call: Call) -> Reply:
    secret = _secret(call)
    numbers = secret["versions"]
    told = {str(number): {k: v for k, v in one.items() if k != "data"} for number, one in numbers.items()}
    oldest = min(numbers, default=0) if len(numbers) < secret["current_version"] else 0
    more = {"versions": told, "oldest_version": oldest, "updated_time": secret["created_time"]}
    return data({**secret, **more})


def _write_metadata(call: Call) -> Reply:
    blank = {"current_version": 0, "versions": {}, "custom_metadata": None, "created_time": _now(), "max_versions": 0}
    secret = call.mount.store.setdefault(call.parts["path"], blank)
    secret["custom_metadata"] = call.body.get("custom_metadata", secret["custom_metadata"])
    secret["max_versions"] = call.whole("max_versions", secret["max_versions"])
    return nothing()


def _drop(call: Call) -> Reply:
    call.mount.store.pop(call.parts["path"], None)
    return nothing()


def _list(call: Call) -> Reply:
    prefix = call.parts["path"]
    rest = [one.removeprefix(prefix) for one in call.mount.store if one.startswith(prefix)]
    return keys([*{one.partition("/")[0] + ("/" if "/" in one else "") for one in rest}])


def _known(call: Call) -> bool:
    return call.parts["path"] in call.mount.store


PAGES = Pages(
    ("data/{path...}", {"read": _read, "create": _write, "update": _write, "delete": _delete_newest}),
    ("delete/{path...}", {"update": lambda call: _mark(call, _chosen(call), deletion_time=_now())}),
    ("undelete/{path...}", {"update": lambda call: _mark(call, _chosen(call), deletion_time="")}),
    ("destroy/{path...}", {"update": _destroy}),
    (
        "metadata/{path...}",
        {"read": _metadata, "list": _list, "create": _write_metadata, "update": _write_metadata, "delete": _drop},
    ),
    exists={"data/{path...}": _known, "metadata/{path...}": _known},
)
