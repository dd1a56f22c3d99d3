"""Writes for a while through a stock Neo4j driver and says how long the longest pause was.

python write.py neo4j://graph:7687 PASSWORD_FILE SECONDS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import neo4j


def main() -> None:
    """See the module."""
    uri, password_file, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    auth = ("neo4j", password_file.read_text(encoding="utf-8").strip())
    done, longest, began = 0, 0.0, time.monotonic()
    last = began
    with (
        neo4j.GraphDatabase.driver(uri, auth=auth) as driver,
        driver.session(database="neo4j") as session,
    ):
        while time.monotonic() - began < seconds:
            session.execute_write(lambda tx: tx.run("CREATE (:Beat {at: datetime()})").consume())
            now = time.monotonic()
            longest, last, done = max(longest, now - last), now, done + 1
    print(f"{done} transactions committed, none failed; the longest pause was {longest:.2f} s")


if __name__ == "__main__":
    main()
