"""Replies and errors on their way between members."""

from __future__ import annotations

import pytest

from everwhen.errors import EverwhenError, OutcomeUnknown, QueryArgumentError
from everwhen.txn.replies import decode_reply, encode_reply


def test_an_error_arrives_as_it_was() -> None:
    sent = QueryArgumentError("no", hint="try yes", detail="NoNo")
    with pytest.raises(QueryArgumentError) as found:
        decode_reply(encode_reply(sent))
    assert (found.value.message, found.value.hint, found.value.detail) == ("no", "try yes", "NoNo")


@pytest.mark.parametrize("name", ["LaterError", "dataclass", "Position"])
def test_an_error_that_only_a_later_version_knows(name: str) -> None:
    later = type(name, (EverwhenError,), {})
    with pytest.raises(OutcomeUnknown, match=f"{name}: what happened"):
        decode_reply(encode_reply(later("what happened")))
