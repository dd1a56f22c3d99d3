"""Settings: which source wins, what is refused and how, what is shown."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import SettingsInvalid
from everwhen.settings import Settings, load


def refusal(**sources) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load(**sources)
    return str(caught.value)


def test_flag_beats_environment_beats_file_beats_default():
    file = ("node.toml", "[http]\nport = 1\n[limits]\nquery_workers = 1\nqueries_waiting_max = 9")
    environment = {"EVERWHEN_HTTP_PORT": "2", "EVERWHEN_LIMITS_QUERY_WORKERS": "2", "HOME": "/"}
    settings = load(file=file, environment=environment, flags={"http.port": 3, "http.host": None})
    assert settings.http.port == 3
    assert settings.limits.query_workers == 2
    assert settings.limits.queries_waiting_max == 9
    assert settings.http.host == Settings().http.host
    assert settings.sources == {
        "http.port": "flag",
        "limits.query_workers": "environment EVERWHEN_LIMITS_QUERY_WORKERS",
        "limits.queries_waiting_max": "node.toml",
    }


def test_no_source_gives_the_defaults():
    assert load() == Settings()


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"file": ("n.toml", "[http]\nprot = 1")}, "n.toml: unknown setting `http.prot`"),
        ({"file": ("n.toml", "[http]\nprot = 1")}, "did you mean `http.port`?"),
        ({"file": ("n.toml", "[htp]\nport = 1")}, "did you mean `http`?"),
        ({"file": ("n.toml", "port = 1")}, "unknown setting `port`"),
        ({"file": ("n.toml", "[http\n")}, "n.toml: not TOML"),
        ({"environment": {"EVERWHEN_HTTP_PROT": "1"}}, "did you mean `EVERWHEN_HTTP_PORT`?"),
        ({"flags": {"http.prot": "1"}}, "flag: unknown setting `http.prot`"),
    ],
)
def test_unknown_names_are_refused_with_source_and_suggestion(sources, words):
    assert words in refusal(**sources)


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("http.port", 65_536, "must be from 0 to 65535"),
        ("http.port", "many", "must be a whole number"),
        ("http.port", 1.5, "must be a whole number"),
        ("http.port", True, "must be a whole number"),
        ("auth.mode", "maybe", "must be one of basic, none"),
        ("http.host", "", "must be a text"),
        ("node.data_dir", 7, "must be a path"),
        ("node.data_dir", "", "must be a path"),
        ("limits.statement_timeout_s", "nan", "must be a number"),
        ("limits.statement_timeout_s", "inf", "must be from"),
        ("limits.statement_timeout_s", -1, "must be from"),
        ("headroom.disk_low_bytes", "plenty", "such as"),
    ],
)
def test_wrong_values_are_refused_by_name(name, raw, words):
    message = refusal(flags={name: raw})
    assert f"`{name}`" in message
    assert words in message


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (2048, 2048),
        ("2048", 2048),
        ("2KiB", 2048),
        ("2k", 2048),
        ("2 MB", 2_000_000),
        ("1GiB", 1 << 30),
    ],
)
def test_sizes_may_have_units(raw, size):
    assert load(flags={"http.body_bytes_max": raw}).http.body_bytes_max == size


def test_what_kubernetes_puts_into_a_pod_is_no_setting():
    environment = {
        "EVERWHEN_SERVICE_HOST": "10.0.0.1",
        "EVERWHEN_SERVICE_PORT_HTTP": "7474",
        "EVERWHEN_PORT": "tcp://10.0.0.1:7474",
        "EVERWHEN_PORT_7474_TCP_ADDR": "10.0.0.1",
        "EVERWHEN_HTTP_PORT": "tcp://10.0.0.1:7474",
    }
    assert load(environment=environment) == Settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "db.example", "192.0.2.1"])
def test_a_door_open_to_others_needs_a_password(host):
    flags = {"http.host": host, "auth.mode": "none"}
    assert "`auth.mode` is `none`" in refusal(flags=flags)
    assert "`auth.mode` is `none`" in refusal(flags={"bolt.host": host, "auth.mode": "none"})
    assert load(flags={"http.host": host}).auth.mode == "basic"
    assert load(flags={**flags, "auth.none_anywhere": True}).http.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_do_without(host):
    assert load(flags={"http.host": host, "auth.mode": "none"}).http.host == host


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"auth.mode": "none", "auth.initial_password": "x"}, "nobody is asked for"),
        ({"auth.initial_password": "x", "auth.initial_password_file": "y"}, "keep one"),
    ],
)
def test_passwords_and_auth_must_agree(flags, words):
    assert words in refusal(flags=flags)


def test_secrets_are_never_shown():
    settings = load(flags={"auth.initial_password": "tops3cret"})
    assert ("auth.initial_password", "(hidden)") in [(n, v) for n, v, _, _ in settings.listing()]
    assert "tops3cret" not in repr(settings) + settings.as_toml() + str([*settings.listing()])


def test_a_wrong_secret_is_not_shown_either():
    assert "tops3cret" not in refusal(flags={"auth.initial_password": ["tops3cret"]})


def test_the_printed_file_says_the_same():
    settings = load(flags={"node.name": 'a "b"\\c', "limits.statement_timeout_s": 0.25})
    assert load(file=("again.toml", settings.as_toml())) == settings


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_is_settings_or_a_refusal(text, environment):
    environment = {f"EVERWHEN_{key}": value for key, value in environment.items()}
    try:
        settings = load(file=("any.toml", text), environment=environment)
    except SettingsInvalid:
        return
    assert isinstance(settings, Settings)


def test_only_hot_settings_are_taken_over():
    now = load(flags={"http.port": 1, "log.level": "info"})
    read = load(flags={"http.port": 2, "log.level": "debug", "vacuum.every_s": 5})
    taken = now.with_hot(read)
    assert now.differing(taken) == ["vacuum.every_s", "log.level"]
    assert taken.differing(read) == ["http.port"]
    assert (taken.log.level, taken.http.port) == ("debug", 1)


def test_every_setting_is_explained():
    for name, _, text, _ in Settings().listing():
        assert text.endswith("."), name
    assert all(dataclasses.fields(group) for group in (Settings().http, Settings().log))
