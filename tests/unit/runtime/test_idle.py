"""When an explicit transaction is idle: from the end of its last statement on."""

from __future__ import annotations

from typing import Any

import pytest

from everwhen.runtime.embedded import Embedded
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.steps import Steps
from everwhen.runtime.system import SystemClock

_CALLER = Caller("neo4j", "test")


class Clock(SystemClock):
    """It can be put forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.mark.parametrize("seconds", [0, 3_000])
def test_a_long_statement_is_not_silence(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    run = Steps.at_once

    def slow(*arguments: Any) -> Any:
        found = run(*arguments)
        clock.ahead += seconds
        return found

    monkeypatch.setattr(Steps, "at_once", slow)
    database = Embedded(clock=clock)
    service = database.service
    transaction = database.call(service.begin(TransactionOptions(), _CALLER))
    database.call(service.run(transaction, "CREATE (:N)", {}))
    assert database.call(service.end_idle(1_000)) == 0
    clock.ahead += 1_001
    assert database.call(service.end_idle(1_000)) == 1
    database.close()
