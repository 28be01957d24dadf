"""Guardrails: service control policies, which a contained principal cannot take away, whatever it may do."""

import json
from dataclasses import dataclass
from typing import Any

from crisis.clients.aws.principals import Principal
from crisis.clients.aws.session import Session

__all__ = ["Guardrails"]

_THERE = ("DuplicatePolicyAttachmentException",)
_GONE = ("PolicyNotAttachedException", "PolicyNotFoundException")


@dataclass(frozen=True)
class Guardrails:
    """The deny of a principal as an SCP of the organisation; our credentials must be of its management account."""

    session: Session

    def is_contained(self, who: Principal, account: str, target: str) -> bool:
        """Whether our policy is there, says what it must, and is attached."""
        found = self._find(who)
        if found is None:
            return False
        content = self.session.ask("organizations", "describe_policy", str(who), PolicyId=found)["Policy"]["Content"]
        on = self.session.pages("organizations", "list_targets_for_policy", "Targets", str(who), PolicyId=found)
        return json.loads(content) == _policy(who, account) and target in {str(one["TargetId"]) for one in on}

    def contain(self, who: Principal, account: str, target: str) -> None:
        """Make and attach the policy; what is there already is set right."""
        content, found = json.dumps(_policy(who, account)), self._find(who)
        if found is None:
            # Once: a policy's name is taken after a lost answer; the next run finds it by that name.
            made = self.session.ask(
                "organizations", "create_policy", str(who), once=True, Name=_name(who), Content=content,
                Description="Crisis Protocols: containment", Type="SERVICE_CONTROL_POLICY",
            )  # fmt: skip
            found = str(made["Policy"]["PolicySummary"]["Id"])
        else:
            self.session.ask("organizations", "update_policy", str(who), PolicyId=found, Content=content)
        asked = {"PolicyId": found, "TargetId": target}
        self.session.seek("organizations", "attach_policy", str(who), absent=_THERE, **asked)

    def restore(self, who: Principal, target: str) -> bool:
        """Detach and delete the policy; False when there was none."""
        found = self._find(who)
        if found is None:
            return False
        asked = {"PolicyId": found, "TargetId": target}
        self.session.seek("organizations", "detach_policy", str(who), absent=_GONE, **asked)
        self.session.seek("organizations", "delete_policy", str(who), absent=_GONE, PolicyId=found)
        return True

    def _find(self, who: Principal) -> str | None:
        all_ = self.session.pages(
            "organizations", "list_policies", "Policies", str(who), Filter="SERVICE_CONTROL_POLICY"
        )
        return next((str(one["Id"]) for one in all_ if one["Name"] == _name(who)), None)


def _name(who: Principal) -> str:
    return f"crisis-contain-{who.kind}-{who.name}"[:128]


def _policy(who: Principal, account: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::{account}:{who.kind}/{who.name}"
    condition = {"ArnLike": {"aws:PrincipalArn": [arn, f"arn:aws:iam::{account}:{who.kind}/*/{who.name}"]}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [deny]}
