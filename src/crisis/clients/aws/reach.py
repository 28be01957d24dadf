"""Reach: what a principal's policies let it read or become. Too much rather than too little."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["allows", "statements_of"]


def statements_of(entity: Mapping[str, Any], groups: Mapping[str, Any], policies: Mapping[str, Any]) -> list[Any]:
    """Return every statement that applies to a user or role of GetAccountAuthorizationDetails."""
    holders = [entity, *(groups[name] for name in entity.get("GroupList", ()) if name in groups)]
    found: list[Any] = []
    for one in holders:
        for key in ("UserPolicyList", "GroupPolicyList", "RolePolicyList"):
            for policy in one.get(key, ()):
                found.extend(_statements(policy["PolicyDocument"]))
        for attached in one.get("AttachedManagedPolicies", ()):
            found.extend(_statements(policies.get(attached["PolicyArn"], {})))
    return found


def allows(statements: Iterable[Mapping[str, Any]], action: str, resource: str) -> bool:
    """
    Whether any statement allows an action on a resource.

    Denies, conditions, boundaries and SCPs are left out: a leaked key may have been used when they were not there.
    """
    for one in statements:
        if one.get("Effect") != "Allow":
            continue
        acts = _matches(one["Action"], action) if "Action" in one else not _matches(one.get("NotAction", "*"), action)
        where = one.get("Resource")
        there = _matches(where, resource) if where is not None else not _matches(one.get("NotResource", "*"), resource)
        if acts and there:
            return True
    return False


def _statements(document: Any) -> Iterator[Any]:
    found = document.get("Statement", ()) if isinstance(document, Mapping) else ()
    yield from found if isinstance(found, list) else (found,)


def _matches(patterns: Any, text: str) -> bool:
    listed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatch.fnmatchcase(text.lower(), str(one).lower()) for one in listed)
