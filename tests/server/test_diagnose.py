"""What a node says of itself to whoever asks what is wrong with it."""

from __future__ import annotations

import json

from tests.support.process import Server
from tests.support.query_api import QueryApi


def test_a_diagnosis(server: Server) -> None:
    with QueryApi(server.port) as api:
        api.rows("CREATE (:Diagnosed)")
        found = json.loads(api.request("GET", "/v1/diagnose")[2])
    assert found["status"]["role"] == "leader"
    assert found["status"]["counts"]["nodes"] >= 1
    assert isinstance(found["problems"], list)
    assert all(index.isdecimal() for index in found["digests"])
