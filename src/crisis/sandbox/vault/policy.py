"""Policy: which paths a token may do what on, by Vault's own rules of precedence."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["DEFAULT", "PolicyTextError", "allowed", "parse"]

Rules = Mapping[str, frozenset[str]]

DEFAULT = """
path "auth/token/lookup-self"     { capabilities = ["read"] }
path "auth/token/renew-self"      { capabilities = ["update"] }
path "auth/token/revoke-self"     { capabilities = ["update"] }
path "sys/capabilities-self"      { capabilities = ["update"] }
path "sys/leases/lookup"          { capabilities = ["update"] }
path "sys/leases/renew"           { capabilities = ["update"] }
"""
"""What every token may do unless it was made without: about itself, nothing else."""

_KNOWN = frozenset({"create", "read", "update", "patch", "delete", "list", "sudo", "deny"})
_BLOCK = re.compile(r'path\s+"(?P<path>[^"]*)"\s*\{(?P<body>[^}]*)\}')
_COMMENT = re.compile(r'(?P<kept>"[^"\n]*")|#[^\n]*|//[^\n]*|/\*.*?\*/', re.DOTALL)
_GRANT = re.compile(r"capabilities\s*=\s*\[(?P<list>[^\]]*)\]")


class PolicyTextError(ValueError):
    """The text is neither HCL nor JSON that grants capabilities on paths."""


def parse(text: str) -> Rules:
    """Read a policy in HCL or JSON; what is left over beside its blocks is an error, as it is to the real parser."""
    if text.lstrip().startswith("{"):
        return _from_json(text)
    plain = _COMMENT.sub(lambda found: found["kept"] or "", text)
    rules = {}
    for block in _BLOCK.finditer(plain):
        grant = _GRANT.search(block["body"])
        rules[block["path"]] = _known(re.findall(r'"([^"]*)"', grant["list"]) if grant else [])
    if left := _BLOCK.sub("", plain).strip():
        raise PolicyTextError(f"cannot parse: {left[:40]}")
    return rules


def allowed(policies: Iterable[Rules], path: str, op: str) -> frozenset[str]:
    """
    Return the capabilities that these policies together give on a path.

    The most specific rule alone counts: an exact one before any pattern; a rule without the slash at its end
    stands for a LIST too. `deny` takes away everything.
    """
    merged: dict[str, frozenset[str]] = {}
    for rules in policies:
        for pattern, capabilities in rules.items():
            merged[pattern] = merged.get(pattern, frozenset()) | capabilities
    exact = [path, path.removesuffix("/")] if op == "list" else [path]
    found = next((merged[name] for name in exact if name in merged), None)
    if found is None:
        fits = [pattern for pattern in merged if _fits(pattern, path)]
        found = merged[max(fits, key=_precedence)] if fits else frozenset()
    return frozenset() if "deny" in found else found


def _from_json(text: str) -> Rules:
    try:
        paths: dict[str, Any] = json.loads(text)["path"]
        return {path: _known(rule.get("capabilities", [])) for path, rule in paths.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PolicyTextError("not a policy in JSON") from None


def _known(capabilities: list[str]) -> frozenset[str]:
    if strange := set(capabilities) - _KNOWN:
        raise PolicyTextError(f"no such capability: {', '.join(sorted(strange))}")
    return frozenset(capabilities)


def _fits(pattern: str, path: str) -> bool:
    glob = pattern.endswith("*")
    parts = [r"[^/]+" if part == "+" else re.escape(part) for part in pattern.removesuffix("*").split("/")]
    if not glob and "+" not in pattern.split("/"):
        return False
    return re.fullmatch("/".join(parts) + (".*" if glob else ""), path) is not None


def _precedence(pattern: str) -> tuple[int, bool, int, int, str]:
    """Order patterns: later first wildcard, no `*` at the end, fewer `+`, longer, later in the alphabet."""
    plus = [at for at, sign in enumerate(pattern) if sign == "+"]
    first = min([*plus, len(pattern) - 1 if pattern.endswith("*") else len(pattern)])
    return first, not pattern.endswith("*"), -len(plus), len(pattern), pattern
