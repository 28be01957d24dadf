"""Machines: EC2 instances; cut off from the network with their discs kept as evidence, and let back in."""

from dataclasses import dataclass
from typing import Any

from crisis.clients.aws.session import Session
from crisis.errors import RefusedError, UnprovenError

__all__ = ["Machine", "Machines"]

_GROUPS = "crisis:security-groups"
_OF = "crisis:evidence-of"
_EMPTY, _OPEN = "crisis-isolated", "crisis-untracked"
_EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance: its network, its groups now and, where it is isolated, those it had."""

    id: str
    vpc: str
    groups: tuple[str, ...]
    before: tuple[str, ...]
    volumes: tuple[str, ...]


@dataclass(frozen=True)
class Machines:
    """The instances of one region."""

    session: Session
    region: str

    def find(self, instance: str) -> Machine:
        """Look at an instance; RefusedError where there is none."""
        found = self._ask("describe_instances", instance, InstanceIds=[instance])
        listed = [one for part in found["Reservations"] for one in part["Instances"]]
        if not listed:
            operation = "ec2:DescribeInstances"
            raise RefusedError(instance, vendor="aws", operation=operation, wanted="an instance", saw="none")
        one = listed[0]
        tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
        discs = tuple(str(disc["Ebs"]["VolumeId"]) for disc in one.get("BlockDeviceMappings", ()) if "Ebs" in disc)
        groups = tuple(sorted(str(group["GroupId"]) for group in one["SecurityGroups"]))
        return Machine(instance, one["VpcId"], groups, tuple(filter(None, tags.get(_GROUPS, "").split(" "))), discs)

    def isolate(self, machine: Machine) -> None:
        """
        Cut an instance off; what groups it had is written on it first.

        A change of groups alone does not cut connections that are tracked: under an all-open group they become
        untracked, and the empty one then stops them.
        """
        if not machine.before:
            tags = [{"Key": _GROUPS, "Value": " ".join(machine.groups)}]
            self._ask("create_tags", machine.id, Resources=[machine.id], Tags=tags)
        keep: dict[str, Any] = {"InstanceId": machine.id, "DisableApiTermination": {"Value": True}}
        self._ask("modify_instance_attribute", machine.id, **keep)
        empty = self._group(machine.vpc, _EMPTY, [])
        if machine.groups != (empty,):
            self._ask(
                "modify_instance_attribute", machine.id, InstanceId=machine.id,
                Groups=[self._group(machine.vpc, _OPEN, _EVERYTHING)],
            )  # fmt: skip
            self._ask("modify_instance_attribute", machine.id, InstanceId=machine.id, Groups=[empty])

    def is_isolated(self, machine: Machine) -> bool:
        """Whether an instance has our empty group and no other, and that is still empty."""
        groups = self._groups(machine.vpc, _EMPTY)
        empty = [one for one in groups if not one["IpPermissions"] and not one["IpPermissionsEgress"]]
        return bool(empty) and machine.groups == tuple(str(one["GroupId"]) for one in empty)

    def release(self, machine: Machine) -> None:
        """Give an instance the groups that it had; it may be terminated again."""
        self._ask("modify_instance_attribute", machine.id, InstanceId=machine.id, Groups=list(machine.before))
        free: dict[str, Any] = {"InstanceId": machine.id, "DisableApiTermination": {"Value": False}}
        self._ask("modify_instance_attribute", machine.id, **free)
        self._ask("delete_tags", machine.id, Resources=[machine.id], Tags=[{"Key": _GROUPS}])

    def snapshots(self, machine: Machine) -> dict[str, str]:
        """Return our snapshots of an instance by volume."""
        by_tag = [{"Name": f"tag:{_OF}", "Values": [machine.id]}]
        found = self.session.pages(
            "ec2", "describe_snapshots", "Snapshots", machine.id, region=self.region, Filters=by_tag, OwnerIds=["self"]
        )
        return {str(one["VolumeId"]): str(one["SnapshotId"]) for one in found}

    def keep_discs(self, machine: Machine) -> dict[str, str]:
        """Make a snapshot of every disc that has none of ours; return all of them by volume."""
        for volume in set(machine.volumes) - set(self.snapshots(machine)):
            mark = [{"ResourceType": "snapshot", "Tags": [{"Key": _OF, "Value": machine.id}]}]
            # Once: after a lost answer the next run finds the snapshot by its tag.
            self._ask("create_snapshot", volume, once=True, VolumeId=volume, TagSpecifications=mark)
        kept = self.snapshots(machine)
        if missing := set(machine.volumes) - set(kept):
            raise UnprovenError(machine.id, wanted="every disc kept", saw=f"none of {', '.join(sorted(missing))}")
        return kept

    def _group(self, vpc: str, name: str, rules: list[dict[str, Any]]) -> str:
        """Return a group of ours, made and set right where needed: nothing comes in or goes out but by its rules."""
        if not self._groups(vpc, name):
            asked = {"GroupName": name, "Description": "Crisis Protocols", "VpcId": vpc}
            there = ("InvalidGroup.Duplicate",)
            self.session.seek("ec2", "create_security_group", name, absent=there, region=self.region, **asked)
        group = self._groups(vpc, name)[0]
        where: dict[str, Any] = {"GroupId": group["GroupId"]}
        if group["IpPermissions"] and not rules:
            self._ask("revoke_security_group_ingress", name, **where, IpPermissions=group["IpPermissions"])
        if group["IpPermissionsEgress"] and not rules:
            self._ask("revoke_security_group_egress", name, **where, IpPermissions=group["IpPermissionsEgress"])
        if rules and not group["IpPermissions"]:
            self._ask("authorize_security_group_ingress", name, **where, IpPermissions=rules)
        return str(group["GroupId"])

    def _groups(self, vpc: str, name: str) -> list[dict[str, Any]]:
        filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
        found: list[dict[str, Any]] = self._ask("describe_security_groups", name, Filters=filters)["SecurityGroups"]
        return found

    def _ask(self, operation: str, target: str, *, once: bool = False, **asked: Any) -> dict[str, Any]:
        return self.session.ask("ec2", operation, target, region=self.region, once=once, **asked)
