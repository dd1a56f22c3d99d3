"""``everwhen sh``: statements to a server, typed by a person or given by a script.

On a terminal: history, completion, several lines until ``;``, tables. Anywhere else results are one
JSON object a line. With ``-c``, or a script on standard input, the first failure ends it with exit
code 1, or 2 if no server could be reached.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from everwhen.cli.connecting import add_credentials, credentials, trust
from everwhen.cli.shell.render import Screen
from everwhen.cli.shell.session import Session
from everwhen.cli.shell.statements import is_whole
from everwhen.errors import SettingsInvalid
from everwhen_client import Client, ClientMisuse, ConnectionFailed, EverwhenError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

_UNREACHABLE: Final = 2


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "sh",
        help="a shell for statements",
        description="Send statements to a running server. Without -c it reads them from the "
        "terminal or from standard input.",
    )
    add = parser.add_argument
    add(
        "uri",
        nargs="?",
        default=os.environ.get("EVERWHEN_URI", "http://127.0.0.1:7474"),
        metavar="URI",
        help="address of the server (default $EVERWHEN_URI, else %(default)s)",
    )
    add("-c", dest="commands", action="append", metavar="QUERY", help="run this and leave")
    add("--at", metavar="TIME", help="read everything as it was at this time")
    add_credentials(parser)
    add("--json", action="store_true", help="JSON lines on a terminal too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Until there is nothing more to run; the exit code."""
    screen = Screen()
    if options.json:
        screen.as_table = False
    try:
        client = Client(
            options.uri,
            auth=credentials(options),
            tls=trust(options),
            retry_seconds=5.0,
            user_agent="everwhen-sh",
        )
    except ClientMisuse as error:
        raise SettingsInvalid(str(error)) from error
    with client:
        session = Session(client, screen, options.at)
        try:
            if not options.commands and sys.stdin.isatty():
                return _converse(session)
            if options.commands:
                done = all(session.feed(text) for text in options.commands)
            else:
                done = _script(session, sys.stdin.read())
            return 0 if done else _UNREACHABLE if session.unreachable else 1
        finally:
            session.close()


def _script(session: Session, text: str) -> bool:
    """Statements and, on lines of their own, colon commands."""
    pending: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith(":") and is_whole("\n".join(pending)):
            waiting, pending = "\n".join(pending), []
            if not (session.feed(waiting) and session.feed(line)):
                return False
            if session.finished:
                return True
        else:
            pending.append(line)
    return session.feed("\n".join(pending))


# --- on a terminal -------------------------------------------------------------------------


def _converse(session: Session) -> int:
    try:
        server = session.client.admin.server()
    except ConnectionFailed as error:
        session.screen.error(error)
        return _UNREACHABLE
    except EverwhenError as error:
        session.screen.error(error)
        return 1
    version = server.get("everwhen_version", "?")
    session.screen.say(f"everwhen {version} at {session.client.uri}; :help tells what there is")
    prompt = _prompt(session)
    while not session.finished:
        try:
            text = prompt.prompt(_mark(session))
        except KeyboardInterrupt:
            continue
        except EOFError:
            break
        try:
            session.feed(text)
        except KeyboardInterrupt:
            session.screen.complaint("interrupted")
    return 0


def _mark(session: Session) -> str:
    moment = f"@{session.at}" if session.at else ""
    return f"everwhen{moment}{'*' if session.in_transaction else ''}> "


def _prompt(session: Session) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.completion import ThreadedCompleter
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from everwhen.cli.shell.completion import Names, ShellCompleter

    class Discreet(FileHistory):
        """Leaves out what holds a password."""

        def store_string(self, string: str) -> None:
            if "password" not in string.lower():
                super().store_string(string)

    def history() -> History:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        file = folder / "everwhen" / "history"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
        except OSError:
            return InMemoryHistory()  # a home that cannot be written to
        return Discreet(str(file))

    keys = KeyBindings()

    @Condition
    def whole() -> bool:
        return is_whole(prompt.default_buffer.text)

    @keys.add("enter", filter=whole)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    completer = ShellCompleter(Names(session.client), session.commands)
    prompt: PromptSession[str] = PromptSession(
        history=history(),
        completer=ThreadedCompleter(completer),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        multiline=True,
        prompt_continuation=lambda width, number, soft: "." * (width - 1) + " ",
        key_bindings=keys,
        enable_history_search=True,
    )
    return prompt
