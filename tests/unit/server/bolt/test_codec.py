"""PackStream: byte-exact messages, every value both ways, bytes that are none."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import ClientError, QueryTypeError, RequestInvalid, RequestTooLarge
from everwhen.model.elements import Detached, Node, Path, Relationship
from everwhen.model.spatial import CARTESIAN, WGS_84_3D, Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector
from everwhen.query.explain import PlanDescription
from everwhen.query.physical import Notification
from everwhen.runtime.cursor import Summary
from everwhen.server.bolt import failures, messages, summary
from everwhen.server.bolt.packstream import Decoder, Malformed
from everwhen.server.bolt.structures import Dialect, encoder, hydrator
from tests.support import bolt as judge
from tests.unit.model import strategies as v

V44, V44_UTC = Dialect((4, 4)), Dialect((4, 4), utc_patch=True)
V50, V58, V60 = Dialect((5, 0)), Dialect((5, 8)), Dialect((6, 0))
ADA = Node(1, Detached(("Person",), {"name": "Ada"}))
BOB = Node(2, Detached((), {}))
KNOWS = Relationship(7, "KNOWS", 1, 2, Detached((), {"since": 1}))

GOLDEN: list[tuple[Dialect, Any, str]] = [
    (V58, None, "c0"),
    (V58, True, "c3"),
    (V58, False, "c2"),
    (V58, 0, "00"),
    (V58, 127, "7f"),
    (V58, -16, "f0"),
    (V58, -17, "c8 ef"),
    (V58, -128, "c8 80"),
    (V58, 128, "c9 0080"),
    (V58, -129, "c9 ff7f"),
    (V58, 32_768, "ca 00008000"),
    (V58, -32_769, "ca ffff7fff"),
    (V58, 2_147_483_648, "cb 0000000080000000"),
    (V58, -(2**63), "cb 8000000000000000"),
    (V58, 1.5, "c1 3ff8000000000000"),
    (V58, "", "80"),
    (V58, "å", "82 c3a5"),
    (V58, "a" * 16, "d0 10" + "61" * 16),
    (V58, "a" * 256, "d1 0100" + "61" * 256),
    (V58, b"", "cc 00"),
    (V58, b"\x01\x02", "cc 02 0102"),
    (V58, b"x" * 256, "cd 0100" + "78" * 256),
    (V58, [], "90"),
    (V58, [1, "a", None], "93 01 8161 c0"),
    (V58, [0] * 16, "d4 10" + "00" * 16),
    (V58, {}, "a0"),
    (V58, {"a": 1}, "a1 8161 01"),
    (V44, ADA, "b3 4e 01 91 86506572736f6e a1 846e616d65 83416461"),
    (V50, ADA, "b4 4e 01 91 86506572736f6e a1 846e616d65 83416461 89343a6e656f346a3a31"),
    (V44, KNOWS, "b5 52 07 01 02 854b4e4f5753 a1 8573696e6365 01"),
    (
        V50,
        KNOWS,
        (
            "b8 52 07 01 02 854b4e4f5753 a1 8573696e6365 01"
            "89353a6e656f346a3a37 89343a6e656f346a3a31 89343a6e656f346a3a32"
        ),
    ),
    (
        V44,
        Path((BOB, ADA, BOB), (KNOWS, KNOWS)),
        (
            "b3 50 92 b3 4e 02 90 a0 b3 4e 01 91 86506572736f6e a1 846e616d65 83416461"
            "91 b3 72 07 854b4e4f5753 a1 8573696e6365 01 94 ff 01 01 00"
        ),
    ),
    (V58, Date(-1), "b1 44 ff"),
    (V58, Time(1, 3600), "b2 54 01 c9 0e10"),
    (V58, LocalTime(2), "b1 74 02"),
    (V58, LocalDateTime(1, 1_000_000_002), "b2 64 ca 00015181 02"),
    (V44, DateTime(0, 3_600 * 10**9, 3_600), "b3 46 c9 0e10 00 c9 0e10"),
    (V44_UTC, DateTime(0, 3_600 * 10**9, 3_600), "b3 49 00 00 c9 0e10"),
    (V50, DateTime(0, 3_600 * 10**9, 3_600), "b3 49 00 00 c9 0e10"),
    (V44, DateTime(0, 0, 0, "UTC"), "b3 66 00 00 83555443"),
    (V58, DateTime(0, 5, 0, "UTC"), "b3 69 00 05 83555443"),
    (V58, Duration(1, 2, 3, 4), "b4 45 01 02 03 04"),
    (V58, Point(CARTESIAN, (1.0, 2.0)), "b3 58 c9 1c23 c1 3ff0000000000000 c1 4000000000000000"),
    (
        V58,
        Point(WGS_84_3D, (1.0, 2.0, 0.0)),
        "b4 59 c9 1373 c1 3ff0000000000000 c1 4000000000000000 c1 0000000000000000",
    ),
    (V58, Vector.of([1, 2], "INTEGER8"), "92 01 02"),
    (V60, Vector.of([1, 2], "INTEGER8"), "b2 56 cc01c8 cc020102"),
    (V60, Vector.of([1], "FLOAT32"), "b2 56 cc01c6 cc043f800000"),
]


@pytest.mark.parametrize(("dialect", "value", "expected"), GOLDEN)
def test_bytes_of_values(dialect, value, expected):
    assert encoder(dialect).value(value) == bytes.fromhex(expected)


def test_bytes_of_replies():
    encode = encoder(V58)
    assert messages.success(encode, {"fields": ("a",)}).hex() == "b170a1866669656c6473918161"
    assert bytes.fromhex("b07e") == messages.IGNORED
    rows: list[list[Any]] = [[1, "x"], [None, "y"]]
    assert [m.hex() for m in messages.records(encode, rows)] == ["b17192018178", "b17192c08179"]
    assert messages.records(encode, []) == []
    assert [m.hex() for m in messages.records(encode, [[], []])] == ["b17190", "b17190"]


def test_failures_have_gql_status_objects_from_5_7_on():
    error = QueryTypeError("expected a number")
    code = "Neo.ClientError.Statement.TypeError"
    assert failures.metadata(error, (5, 6)) == {"code": code, "message": "expected a number"}
    found = failures.metadata(error, (5, 7))
    assert found["neo4j_code"] == code
    assert found["gql_status"] == "22G03"
    assert found["description"].startswith("error: data exception")
    assert found["diagnostic_record"]["CURRENT_SCHEMA"] == "/"
    assert found["diagnostic_record"]["_classification"] == "CLIENT_ERROR"


def test_every_error_has_a_status_of_five_characters():
    def all_of(kind: type[Exception]) -> list[type[Exception]]:
        return [kind, *(sub for each in kind.__subclasses__() for sub in all_of(each))]

    for kind in all_of(ClientError.__mro__[1]):
        status, name = failures.status_of(kind.code)  # type: ignore[attr-defined]
        assert len(status) == 5, kind
        assert name


def test_summaries():
    found = Summary("rw")
    found.counters.nodes_created = 2
    found.plan = PlanDescription("Create", "n", 1.0, ("n",), (), 3, 5)
    found.profiled = True
    content = summary.metadata(
        found, (5, 4), milliseconds=7, bookmark="b", had_rows=True, columns=1, remarks=()
    )
    assert content["stats"] == {"nodes-created": 2, "contains-updates": True}
    assert (content["type"], content["t_last"], content["bookmark"]) == ("rw", 7, "b")
    assert content["profile"]["operatorType"] == "Create"
    assert content["profile"]["rows"] == 3
    assert "statuses" not in content
    remark = Notification("Neo.ClientNotification.X.UnknownLabelWarning", "WARNING", "t", "d")
    for had, columns, status in ((True, 1, "00000"), (False, 1, "02000"), (False, 0, "00001")):
        content = summary.metadata(
            Summary(),
            (5, 5),
            milliseconds=0,
            bookmark=None,
            had_rows=had,
            columns=columns,
            remarks=(remark,),
        )
        order = ["02000", "01N00"] if status == "02000" else ["01N00", status]
        assert [each["gql_status"] for each in content["statuses"]] == order


@pytest.mark.parametrize("version", [(4, 4), (5, 4), (5, 5), (6, 0)])
@pytest.mark.parametrize("bookmark", [None, "ew:x:1"])
@pytest.mark.parametrize("had_rows", [True, False])
@pytest.mark.parametrize("columns", [0, 2])
def test_the_quick_summary_says_the_same(version, bookmark, had_rows, columns):
    facts: dict[str, Any] = {"milliseconds": 7, "bookmark": bookmark, "had_rows": had_rows}
    facts["columns"] = columns
    content = summary.metadata(Summary(), version, **facts, remarks=())
    assert summary.plain_read(version, **facts) == messages.success(encoder(V58), content)


def test_the_answer_to_run():
    content = {"fields": ["a", "b"], "t_first": 300, "qid": 2}
    made = messages.running(encoder(V58), ("a", "b"), 300, {"qid": 2})
    assert made == messages.success(encoder(V58), content)


# --- both ways -----------------------------------------------------------------------------


def read(data: bytes, dialect: Dialect = V60) -> Any:
    return Decoder(data, hydrator(dialect)).value(0)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def finite(point: Point) -> bool:
    return all(map(math.isfinite, point.coordinates))


parameters = st.recursive(
    st.none()
    | st.booleans()
    | v.integers
    | v.floats
    | st.text()
    | st.binary()
    | v.temporals
    | v.durations
    | v.points.filter(finite)
    | v.vectors,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(parameters)
def test_what_clients_send_comes_back_as_it_was(value):
    assert same(read(encoder(V60).value(value)), value)


@given(st.lists(st.tuples(v.values, v.integers, v.texts), min_size=1, max_size=20))
def test_rows_by_column_are_the_bytes_of_each_value(rows):
    encode = encoder(V58)
    expected = [b"\xb1\x71\x93" + b"".join(map(encode.value, row)) for row in rows]
    assert messages.records(encode, rows) == expected


plain = st.recursive(
    st.none() | st.booleans() | v.integers | v.floats | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(plain)
def test_another_codec_reads_and_writes_the_same(value):
    data = encoder(V58).value(value)
    assert same(judge.unpack(data), value)
    assert judge.pack(value) == data


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9 - 1), v.offsets)
def test_datetimes_before_5_0_count_in_local_time(seconds, nanos, offset):
    value = DateTime.of_instant(seconds, nanos, offset)
    data = encoder(V44).value(value)
    assert judge.unpack(data).fields == (seconds + offset, nanos, offset)
    assert read(data, V44) == value


@pytest.mark.parametrize("size", [0, 15, 16, 255, 256, 65_535, 65_536])
def test_sizes_at_their_limits(size):
    encode = encoder(V58)
    for value in ("x" * size, b"x" * size, [None] * size, {str(i): i for i in range(size)}):
        data = encode.value(value)
        assert judge.pack(value) == data
        assert read(data) == value


def test_a_lone_surrogate_does_not_break_the_connection():
    assert read(encoder(V58).value(["\ud800", "a"])) == ["?", "a"]


# --- bytes that are none -------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "",
        "c4",  # no marker
        "81",  # a string without its byte
        "d2 ffffffff",  # a string of 4 GiB
        "d6 7fffffff 00",  # a list of 2 G elements
        "da 00ffffff",
        "c9 00",
        "c1 0000",
        "81 ff",  # not UTF-8
        "a1 01 01",  # a key that is no string
        "a2 8161 01 8161 02",  # a key twice
        "91" * 200 + "c0",  # too deep
    ],
)
def test_malformed_values(data):
    with pytest.raises(Malformed):
        read(bytes.fromhex(data))


@pytest.mark.parametrize(
    "data",
    [
        "b1 44 cb 7fffffffffffffff",  # a day outside the years that exist
        "b2 54 cb 7fffffffffffffff 00",
        "b2 54 00 ca 7fffffff",
        "b3 69 00 00 84 4d617273",  # no such zone
        "b3 58 01 c1 0000000000000000 c1 0000000000000000",
        "b3 58 c9 1c23 c1 7ff8000000000000 c1 0000000000000000",
        "b1 44 8161",
        "b2 44 01 02",
        "b4 4e 01 90 a0 80",  # a node
        "b1 7a 01",
        "b2 56 cc01ff cc0101",
        "b2 56 cc01ca cc03010203",
        "b4 45 cb 7fffffffffffffff cb 7fffffffffffffff 00 00",
    ],
)
def test_values_that_make_no_sense_are_the_statements_error(data):
    with pytest.raises(ClientError) as caught:
        read(bytes.fromhex(data))
    assert not isinstance(caught.value, Malformed)


def test_too_many_values():
    with pytest.raises(RequestTooLarge):
        read(bytes.fromhex("d6 004c4b41") + b"\xc0" * 5_000_001)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_clear_error(data):
    decoder = Decoder(data, hydrator(V60))
    try:
        tag, fields = decoder.message()
        messages.request(tag, fields, (6, 0))
    except ClientError:
        pass


@pytest.mark.parametrize(
    ("tag", "fields"),
    [
        (0x10, ["RETURN 1", {}]),
        (0x10, [1, {}, {}]),
        (0x3F, [{}]),
        (0x3F, [{"n": 0}]),
        (0x3F, [{"n": -2}]),
        (0x3F, [{"n": True}]),
        (0x3F, [{"n": 1, "qid": -2}]),
        (0x99, []),
    ],
)
def test_requests_that_are_none(tag, fields):
    with pytest.raises(RequestInvalid):
        messages.request(tag, fields, (5, 8))


def test_requests_of_later_versions_are_unknown_before():
    assert messages.request(0x6A, [{}], (5, 1)) == messages.Logon({})
    with pytest.raises(Malformed):
        messages.request(0x6A, [{}], (5, 0))
    with pytest.raises(Malformed):
        messages.request(0x54, [1], (5, 3))
