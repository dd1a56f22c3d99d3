"""Changes to the group: who belongs to it, who votes, which rules apply."""

from __future__ import annotations

from msgspec.structs import replace

from everwhen.apply.work import Work
from everwhen.codec.cluster import (
    LEVEL_RECOVERY,
    META_CLUSTER,
    Cluster,
    Configuration,
    Member,
    encode_cluster,
)
from everwhen.codec.keys import meta_key
from everwhen.errors import (
    MemberExists,
    MemberNotFound,
    MembershipRefused,
    PreconditionFailed,
)
from everwhen.txn import commands as c


class Clusters:
    """Applies what changes the group to the work at hand."""

    __slots__ = ("_work",)

    def __init__(self, work: Work) -> None:
        self._work = work

    def _save(self, cluster: Cluster) -> None:
        self._work.cluster = cluster
        self._work.layer.put(meta_key(META_CLUSTER), encode_cluster(cluster))

    def _replace_member(self, member: Member) -> None:
        cluster = self._work.cluster
        members = [member if each.id == member.id else each for each in cluster.members]
        self._save(replace(cluster, members=members))

    def found(self, command: c.FoundCluster) -> c.Reply:
        """The first entry of a log.

        :raises MembershipRefused: the record belongs to a cluster already.
        """
        if self._work.cluster.members:
            raise MembershipRefused("this record belongs to a cluster already")
        first = Member(
            1,
            command.name,
            command.addresses,
            command.disk,
            command.version,
            command.feature_level,
        )
        self._save(
            Cluster(
                cluster_id=command.cluster_id,
                history_id=command.history_id,
                members=[first],
                next_member=2,
                configuration=Configuration(voters=[1]),
                feature_level=command.feature_level,
            )
        )
        return c.MemberAdded(1)

    def add(self, command: c.AddMember) -> c.Reply:
        """Admit a node.

        :raises MemberExists: the name, or the disk, belongs to another member.
        :raises MembershipRefused: it cannot apply what the cluster's feature level asks for.
        """
        cluster = self._work.cluster
        holder = cluster.named(command.name)
        if holder is not None and holder.disk == command.disk:
            return c.MemberAdded(holder.id, repeated=True)
        same_disk = next((each for each in cluster.members if each.disk == command.disk), None)
        if same_disk is not None:
            raise MemberExists(
                f"that data directory is member {same_disk.id}, named {same_disk.name!r}"
            )
        if holder is not None and command.replace != holder.id:
            raise MemberExists(
                f"the name {command.name!r} belongs to member {holder.id}, on another disk",
                hint=f"to put this node in its place, ask for replace: {holder.id}",
            )
        if command.feature_level < cluster.feature_level:
            raise MembershipRefused(
                f"the node supports feature level {command.feature_level}, the cluster is at "
                f"{cluster.feature_level}",
                hint="start the node with a newer build",
            )
        number = cluster.next_member
        member = Member(
            number,
            command.name,
            command.addresses,
            command.disk,
            command.version,
            command.feature_level,
            command.replace if holder is not None else 0,
        )
        members = cluster.members
        if holder is not None:
            # the old one stays a member until it has left the configuration, without its name
            gone = replace(holder, name=f"{holder.name} (replaced by {number})")
            members = [gone if each.id == holder.id else each for each in members]
        self._save(replace(cluster, members=[*members, member], next_member=number + 1))
        return c.MemberAdded(number)

    def describe(self, command: c.DescribeMember) -> c.Reply:
        """:raises MemberNotFound: it was forgotten."""
        member = self._member(command.id)
        changed = replace(
            member,
            addresses=command.addresses,
            version=command.version,
            feature_level=command.feature_level,
        )
        if changed != member:
            self._replace_member(changed)
        return c.Done()

    def forget(self, command: c.ForgetMember) -> c.Reply:
        """:raises MembershipRefused: it is still in the configuration."""
        cluster = self._work.cluster
        if cluster.member(command.id) is None:
            return c.Done()
        if command.id in cluster.configuration.ids:
            raise MembershipRefused(f"member {command.id} is still in the configuration")
        members = [each for each in cluster.members if each.id != command.id]
        self._save(replace(cluster, members=members))
        return c.Done()

    def configure(self, command: c.Configure) -> c.Reply:
        """Note the configuration in force from here on; who was replaced and is not in it any more
        is forgotten."""
        cluster = self._work.cluster
        replaced = [each.replaces for each in cluster.members]
        ids = command.configuration.ids
        # whoever was to replace one that goes takes over whom that one was to replace
        gone = {m.id: m.replaces for m in cluster.members if m.id in replaced and m.id not in ids}
        members = []
        for member in cluster.members:
            if member.id in gone:
                continue
            place = member.replaces
            while place in gone:
                place = gone[place]
            members.append(replace(member, replaces=place))
        self._save(replace(cluster, members=members, configuration=command.configuration))
        return c.Done()

    def raise_level(self, command: c.RaiseFeatureLevel) -> c.Reply:
        """:raises PreconditionFailed: it would go down.
        :raises MembershipRefused: a member does not support it."""
        cluster = self._work.cluster
        if command.level < cluster.feature_level:
            raise PreconditionFailed(
                f"the feature level is {cluster.feature_level} and never goes down"
            )
        behind = [each.name for each in cluster.members if each.feature_level < command.level]
        if behind:
            raise MembershipRefused(
                f"feature level {command.level} is not supported by {', '.join(behind)}",
                hint="upgrade them first",
            )
        self._save(replace(cluster, feature_level=command.level))
        return c.Done()

    def raise_epoch(self, command: c.RaiseEpoch) -> c.Reply:
        """:raises PreconditionFailed: a higher epoch was seen."""
        cluster = self._work.cluster
        if command.epoch < cluster.operator_epoch:
            raise PreconditionFailed(
                f"operator epoch {command.epoch} is stale: {cluster.operator_epoch} was seen"
            )
        if command.epoch > cluster.operator_epoch:
            self._save(replace(cluster, operator_epoch=command.epoch))
        return c.Done()

    def recover(self, command: c.RecoverCluster) -> c.Reply:
        """One member is left, and a new history begins. The feature level becomes one whose builds
        all know this entry.

        :raises MemberNotFound: the node was never admitted.
        :raises MembershipRefused: others are in the configuration still.
        """
        cluster = self._work.cluster
        member = replace(self._member(command.node), replaces=0)
        others = [each for each in cluster.configuration.ids if each != member.id]
        if others:
            raise MembershipRefused(f"members {others} are in the configuration still")
        level = max(cluster.feature_level, LEVEL_RECOVERY)
        self._save(
            replace(cluster, members=[member], history_id=command.history_id, feature_level=level)
        )
        return c.Done()

    def _member(self, number: int) -> Member:
        member = self._work.cluster.member(number)
        if member is None:
            raise MemberNotFound(f"there is no member {number}")
        return member
