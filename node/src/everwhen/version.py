"""The version of this build; ``node/pyproject.toml`` reads it from here.

Formats on disk and in the log carry numbers of their own (``codec/``, ``storage/format``): a new
version of the program does not imply a new format, and the other way round.
"""

from __future__ import annotations

VERSION = "0.1.0"
#: the Neo4j whose language, procedures and drivers this build is like; tools decide by it what to
#: send
COMPATIBLE = "5.26.0"
