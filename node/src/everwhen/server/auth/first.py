"""Who may come in, as the settings say; and the first user of a database that has none.

The first user is an entry of the log like every other, proposed by the leader only, and does
nothing where a user exists. A generated password is told once, to standard error, by the node that
made it, and only after it holds.
"""

from __future__ import annotations

import asyncio
import sys
from base64 import urlsafe_b64encode
from typing import Final

from everwhen.codec.cluster import LEVEL_USERS
from everwhen.codec.users import Credential
from everwhen.errors import EverwhenError, QueryArgumentError, SettingsInvalid
from everwhen.ports import Threads
from everwhen.runtime.node import Node
from everwhen.runtime.passwords import check_password, check_user_name, hash_password
from everwhen.runtime.system import SystemClock, SystemRandom
from everwhen.server.auth.attempts import Ledger
from everwhen.server.auth.port import Authenticator, NoAuthentication
from everwhen.server.auth.users import Users
from everwhen.server.logging import logger
from everwhen.server.metrics import Metrics
from everwhen.settings import Settings
from everwhen.txn import commands as c

_GENERATED_BYTES: Final = 15
#: seconds between two looks at whether this node leads now
_LOOK_SECONDS: Final = 0.1


def authenticator(
    settings: Settings, node: Node, threads: Threads, metrics: Metrics
) -> Authenticator:
    """What both doors ask."""
    auth = settings.auth
    if auth.mode == "none":
        return NoAuthentication()
    log = logger("auth")

    def report(event: str, user: str, address: str) -> None:
        metrics.authentication_failed()
        log.warning(event, user=user, address=address)

    state = node.parts.state
    ledger = Ledger(SystemClock(), auth.failures_max, auth.lock_s)
    return Users(lambda: state.current.users, threads, SystemRandom(), ledger, report)


def first_password(settings: Settings) -> str | None:
    """The password asked for, None: to be generated.

    :raises SettingsInvalid: it, or the name it is for, is none that is taken.
    """
    auth = settings.auth
    if auth.mode == "none":
        return None
    password, source = auth.initial_password, "auth.initial_password"
    if auth.initial_password_file is not None:
        source = f"auth.initial_password_file {auth.initial_password_file}"
        try:
            lines = auth.initial_password_file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise SettingsInvalid(f"cannot read {source}: {error.strerror}") from error
        password = lines[0] if lines else ""
    try:
        check_user_name(auth.user)
        if password is not None:
            check_password(password, auth.password_chars_min)
    except QueryArgumentError as error:
        raise SettingsInvalid(f"{source}, `auth.user`: {error.message}") from error
    return password


class FirstUser:
    """Makes the first user of one database."""

    def __init__(
        self, settings: Settings, password: str | None, node: Node, threads: Threads
    ) -> None:
        self._wanted = settings.auth.mode == "basic"
        self._name = settings.auth.user
        self._password = password
        self._node = node
        self._threads = threads
        self._log = logger("auth")

    async def is_expected_by(self, keeper: Authenticator) -> None:
        """Where the user is there already: clients that come with the password that the settings
        name, after a restart all of them at once, need not wait until it is checked."""
        if self._wanted and self._password is not None:
            await keeper.expect(self._name, self._password)

    async def make(self) -> None:
        """Returns once there is a user, whoever made it."""
        if not self._wanted or self._node.parts.state.current.users:
            return
        self._log.info("waiting_for_first_user", user=self._name)
        generated = self._password is None
        random = SystemRandom()
        password = self._password
        if password is None:
            password = urlsafe_b64encode(random.bytes(_GENERATED_BYTES)).decode()
        told = False
        credential: Credential | None = None
        state = self._node.parts.state
        while not state.current.users:
            if state.current.cluster.feature_level < LEVEL_USERS:
                if not told:
                    self._log.error(
                        "users_need_feature_level",
                        level=LEVEL_USERS,
                        hint=f"everwhen admin feature-level {LEVEL_USERS}, once every member runs this version",
                    )
                told = True
            elif self._node.member.replica.is_leader:
                if credential is None:
                    credential = await self._threads.run("auth", hash_password, password, random)
                await self._propose(credential)
            if not state.current.users:
                await asyncio.sleep(_LOOK_SECONDS)
        user = state.current.users.get(self._name)
        if credential is not None and user is not None and user.credential == credential:
            self._tell(password if generated else None)

    async def _propose(self, credential: Credential) -> None:
        command = c.CreateUser(c.FORMAT, self._name, credential, False, False, first=True)
        try:
            await self._node.member.consensus.propose(c.encode(command))
        except EverwhenError as error:
            # somebody else leads now, or nobody: the next look tells
            self._log.info("first_user_waits", message=error.message)

    def _tell(self, generated: str | None) -> None:
        self._log.info("first_user_created", user=self._name, generated=generated is not None)
        if generated is not None:
            sys.stderr.write(
                f"\nThe first user is `{self._name}`, with the password\n\n    {generated}\n\n"
                "It is shown this once. Change it with ALTER CURRENT USER SET PASSWORD "
                "FROM '…' TO '…'.\n\n"
            )
            sys.stderr.flush()
