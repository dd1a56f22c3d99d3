"""``everwhen admin``: who belongs to a cluster, who leads, and changing it safely.

Any member answers; the leader carries out. A table on a terminal, JSON elsewhere. Exit status: 0
done, 1 failed (not reached, no leader, no such member, wrong secret), 2 wrong arguments, 4 refused
because it is not safe or not possible now, 5 refused because what the caller relied on is not so
any more (``--expected-config-index``, ``--operator-epoch``), 6 unknown whether it happened.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, Final

from everwhen.cli.admin_tables import print_answer, print_members, print_status
from everwhen.cli.connecting import add_node, admin_client
from everwhen.errors import MemberNotFound, SettingsInvalid
from everwhen_client import Client, ClientMisuse, EverwhenError, OutcomeUnknown

_REFUSED: Final = 4
_STALE: Final = 5
_UNKNOWN: Final = 6
_BY_STATUS: Final = {409: _REFUSED, 412: _STALE, 504: _UNKNOWN}

_Answer = dict[str, Any]


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "admin",
        help="see and change who belongs to a cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_node(parser)
    add("--json", action="store_true", help="JSON on a terminal too")
    add("--expected-config-index", type=int, metavar="N", help="refuse unless it is this one")
    add("--operator-epoch", type=int, metavar="N", help="refuse if a higher one was seen")
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (help_text, arguments, _) in _VERBS.items():
        verb = verbs.add_parser(name, help=help_text, description=help_text)
        for argument, options in arguments.items():
            verb.add_argument(argument, **options)


class Administration:
    """The calls of one command."""

    def __init__(self, client: Client, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options

    def status(self) -> _Answer:
        """What the node says of itself and of the group."""
        return self._client.admin.status()

    def members(self) -> _Answer:
        """Everyone."""
        return self._client.admin.request("GET", "/v1/members")

    def join(self) -> _Answer:
        """Admit the node that waits at an address: its name, addresses and disk are its own."""
        with Client(self._options.node) as waiting:
            found = waiting.admin.status()
        if found.get("role") != "joining":
            raise SettingsInvalid(
                f"{self._options.node} is {found.get('role')!r} already, it does not wait to join"
            )
        body = {
            "name": found["name"],
            "addresses": found["addresses"],
            "diskId": found["diskId"],
            "version": found["version"],
            "featureLevel": found["featureLevel"],
        }
        if self._options.replace is not None:
            body["replace"] = self._member(self._options.replace)
        return self._change("POST", "/v1/members", **body)

    def promote(self) -> _Answer:
        """A vote for a learner that keeps up."""
        return self._change("POST", f"/v1/members/{self._member()}/promote")

    def demote(self) -> _Answer:
        """A voter becomes a learner."""
        return self._change("POST", f"/v1/members/{self._member()}/demote")

    def leave(self) -> _Answer:
        """Out of the group; a leader hands over first."""
        number = self._member()
        status = self.status()
        if (status["leader"] or {}).get("nodeId") == number:
            others = [each for each in status["config"]["voters"] if each != number]
            if others:
                self._change("POST", "/v1/leader", to=others[0])
        return self._change("DELETE", f"/v1/members/{number}")

    def remove(self) -> _Answer:
        """Out of the group, as it is."""
        return self._change("DELETE", f"/v1/members/{self._member()}")

    def transfer(self) -> _Answer:
        """Another voter leads."""
        return self._change("POST", "/v1/leader", to=self._member())

    def snapshot(self) -> _Answer:
        """A copy of the record, on the node that is asked."""
        return self._change("POST", "/v1/snapshot")

    def diagnose(self) -> _Answer:
        """What may be wrong with the node that is asked."""
        return self._client.admin.request("GET", "/v1/diagnose")

    def audit_head(self) -> _Answer:
        """The newest commit's chain hash, to be kept elsewhere."""
        return self._client.admin.request("GET", "/v1/audit/head")

    def vacuum(self) -> _Answer:
        """A round now, what one would take away, or how far it is."""
        options = self._options
        if options.show:
            return self._client.admin.request("GET", "/v1/vacuum")
        return self._change("POST", "/v1/vacuum", dryRun=options.dry_run)

    def fence(self) -> _Answer:
        """Out of service, or back into it: the node that is asked."""
        if self._options.lift:
            return self._change("POST", "/v1/fence", fenced=False)
        return self._change("POST", "/v1/fence", fenced=True, reason=self._options.reason)

    def recover(self) -> _Answer:
        """The node that is asked goes on alone."""
        return self._change("POST", "/v1/recover", acceptDataLoss=self._options.token)

    def feature_level(self) -> _Answer:
        """See it, or raise it."""
        if self._options.level is not None:
            return self._change("POST", "/v1/feature-level", level=self._options.level)
        status = self.status()
        return {
            "featureLevel": status["featureLevel"],
            "supported": {each["name"]: each["featureLevel"] for each in status["members"]},
        }

    def _change(self, method: str, path: str, **body: Any) -> _Answer:
        options = self._options
        if options.expected_config_index is not None:
            body["expectedConfigIndex"] = options.expected_config_index
        if options.operator_epoch is not None:
            body["operatorEpoch"] = options.operator_epoch
        return self._client.admin.request(method, path, body)

    def _member(self, given: str | None = None) -> int:
        """The id of a member given by name or id."""
        wanted = self._options.member if given is None else given
        found = self.members()["members"]
        for each in found:
            if each["name"] == wanted or str(each["nodeId"]) == wanted:
                return int(each["nodeId"])
        names = ", ".join(f"{each['name']} ({each['nodeId']})" for each in found)
        raise MemberNotFound(f"there is no member {wanted!r}", hint=f"there are: {names}")


_MEMBER: Final[dict[str, dict[str, Any]]] = {
    "member": {"metavar": "MEMBER", "help": "name or id of a member"}
}
_VERBS: Final[
    dict[str, tuple[str, dict[str, dict[str, Any]], Callable[[Administration], _Answer]]]
] = {
    "status": ("what a node is and does", {}, Administration.status),
    "members": ("who belongs to the cluster", {}, Administration.members),
    "join": (
        "admit a node that waits to join, as a learner",
        {
            "node": {"metavar": "URL", "help": "HTTP address of the node that waits"},
            "--replace": {"metavar": "MEMBER", "help": "whose name it takes over"},
        },
        Administration.join,
    ),
    "promote": ("a learner that keeps up becomes a voter", _MEMBER, Administration.promote),
    "demote": ("a voter becomes a learner", _MEMBER, Administration.demote),
    "leave": (
        "take a member out: hand over if it leads, demote, remove",
        _MEMBER,
        Administration.leave,
    ),
    "remove": ("demote and remove a member that does not lead", _MEMBER, Administration.remove),
    "transfer": ("hand leadership to a voter", _MEMBER, Administration.transfer),
    "diagnose": ("status, last warnings and digests of a node", {}, Administration.diagnose),
    "snapshot": ("copy the record of the node that is asked", {}, Administration.snapshot),
    "audit-head": (
        "what to keep elsewhere, so that history can be checked later (JSON)",
        {},
        Administration.audit_head,
    ),
    "vacuum": (
        "take away now what rules of retention let go",
        {
            "--dry-run": {"action": "store_true", "help": "only say what it would give back"},
            "--show": {"action": "store_true", "help": "rules, progress and erasures"},
        },
        Administration.vacuum,
    ),
    "fence": (
        "take the node that is asked out of service",
        {
            "--reason": {"default": "an operator asked for it", "help": "what requests are told"},
            "--lift": {"action": "store_true", "help": "back into service"},
        },
        Administration.fence,
    ),
    "recover": (
        "a majority of the voters is lost for ever: the node that is asked goes on alone",
        {"token": {"metavar": "TOKEN", "help": "recoveryToken of that node's status"}},
        Administration.recover,
    ),
    "feature-level": (
        "see the feature level, or raise it",
        {"level": {"type": int, "nargs": "?", "help": "raise it to this"}},
        Administration.feature_level,
    ),
}
_PRINTERS: Final = {"status": print_status, "members": print_members}


def run(options: argparse.Namespace) -> int:
    """The command; its exit status."""
    try:
        with admin_client(options, "everwhen-admin") as c:
            answer = _VERBS[options.verb][2](Administration(c, options))
    except ClientMisuse as error:
        raise SettingsInvalid(str(error)) from error
    except EverwhenError as error:
        print(f"everwhen: {error.message}", file=sys.stderr)
        if error.hint and error.hint not in error.message:
            print(f"  {error.hint}", file=sys.stderr)
        return _UNKNOWN if isinstance(error, OutcomeUnknown) else _BY_STATUS.get(error.status, 1)
    if options.json or not sys.stdout.isatty():
        print(json.dumps(answer))
    else:
        _PRINTERS.get(options.verb, print_answer)(answer)
    return 0
