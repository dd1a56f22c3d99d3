"""Settings that are taken over while the node runs: those of its file, when the file changes.

Only settings that are marked hot change; others wait for a restart, and it is said which. A file
that makes no sense is reported, and the present settings stay in use until it does.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from everwhen.errors import SettingsInvalid
from everwhen.limits import SETTINGS_LOOK_SECONDS
from everwhen.settings import Settings

Report = Callable[[str, dict[str, object]], None]


class SettingsFile:
    """The file, and what it says along with the environment and flags. ``load`` makes settings of
    its text."""

    def __init__(self, path: Path, load: Callable[[str], Settings]) -> None:
        """:raises SettingsInvalid: it cannot be read."""
        self.path = path
        self.load = load
        self.text = self.read()

    def read(self) -> str:
        """:raises SettingsInvalid: it cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsInvalid(f"cannot read {self.path}: {error}") from error


class HotSettings:
    """The settings as they are now. ``apply`` makes a running node follow them."""

    def __init__(self, settings: Settings, file: SettingsFile | None) -> None:
        self.settings = settings
        self._file = file

    @property
    def digest(self) -> str | None:
        """SHA-256 of the file as it was last taken, hexadecimal; None: there is no file."""
        return None if self._file is None else hashlib.sha256(self._file.text.encode()).hexdigest()

    async def keep_fresh(self, apply: Callable[[Settings], None], report: Report) -> None:
        """Look at the file every so often; until cancelled."""
        told = ""
        while self._file is not None:
            await asyncio.sleep(SETTINGS_LOOK_SECONDS)
            try:
                text = await asyncio.to_thread(self._file.read)
                if text != self._file.text:
                    report("settings_read", self._take(self._file.load(text), apply))
                    self._file.text = text
                told = ""
            except SettingsInvalid as error:
                if told != str(error):
                    told = str(error)
                    report("settings_not_read", {"message": told})

    def _take(self, read: Settings, apply: Callable[[Settings], None]) -> dict[str, object]:
        """What changed, and what waits for a restart."""
        changed = self.settings.with_hot(read)
        taken = self.settings.differing(changed)
        self.settings = changed
        apply(changed)
        return {"taken": taken, "wait_for_restart": changed.differing(read)}
