"""Settings: defaults, environment overrides, and one clear sentence for each wrong value."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.common.config import SERVICE_NAMES, Config, UnknownSettingWarning, load_config, load_section
from services.common.errors import ConfigError
from services.common.settings import list_fields, variable_names


def test_both_spellings_of_a_variable_set_the_same_field() -> None:
    """A nested field may be written with one or two underscores."""
    assert load_config({"TRABOULE_SERVER_PORT": "7001"}).server.port == 7001
    assert load_config({"TRABOULE_SERVER__PORT": "7001"}).server.port == 7001


def test_values_of_every_type_are_read(tmp_path: Path) -> None:
    """Lists, maps, booleans, paths, optional numbers and choices come from text."""
    config = load_config(
        {
            "TRABOULE_HOME": str(tmp_path),
            "TRABOULE_CITIES": "porto,heidelberg",
            "TRABOULE_SERVER_PORTS": "journeys=7001, rounds=7002",
            "TRABOULE_SERVER_REFLECTION": "no",
            "TRABOULE_METRICS_PORT": "0",
            "TRABOULE_LOG_FORMAT": "json",
            "TRABOULE_STATE_REPLICAS": "1",
            "TRABOULE_AUTH_LEEWAY_S": "2.5",
        }
    )
    assert config.home == tmp_path
    assert config.cities == ("porto", "heidelberg")
    assert config.server.port_of("rounds") == 7002
    assert config.server.port_of("signals") == 0
    assert (config.server.reflection, config.metrics.port, config.log.format) == (False, 0, "json")
    assert (config.state.replicas, config.auth.leeway_s) == (1, 2.5)
    assert load_config({}).metrics.port is None


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SERVER_PORT": "70000"}, ["server.port", "70000", "0 (any free one) to 65535"]),
        ({"SERVER_PORT": "http"}, ["server.port", "'http'", "a whole number"]),
        ({"SERVER_PORTS": "journeys"}, ["server.ports", "'journeys'", "name=value"]),
        ({"SERVER_PEERS": "journeys=nowhere"}, ["server.peers[journeys]", "nowhere", "host:port"]),
        ({"SERVER_REFLECTION": "maybe"}, ["server.reflection", "'maybe'", "true or false"]),
        ({"CITIES": ""}, ["cities", "one or more city names"]),
        ({"CITIES": "Porto!"}, ["cities", "'Porto!'", "a-z"]),
        ({"MODE": "prod"}, ["mode", "'prod'", "embedded, production"]),
        ({"CLOCK": "yesterday"}, ["clock", "'yesterday'", "<city_epoch_s>@<wall_epoch_s>x<rate>"]),
        ({"STATE_LIVE_URL": "http://x:secret@y"}, ["state.live_url", "redis://"]),
        ({"TLS_CERT_FILE": "/does/not/exist"}, ["tls.cert_file", "/does/not/exist", "existing file"]),
        ({"AUTH_ALGORITHMS": "none"}, ["auth.algorithms", "'none'", "EdDSA"]),
        ({"LIMITS_DEFAULT_DEADLINE_S": "1e9"}, ["limits.default_deadline_s", "limits.max_deadline_s"]),
        ({"SERVER_PORT": "1", "SERVER__PORT": "2"}, ["server.port", "disagree"]),
        ({"MODE": "production"}, ["auth", "TRABOULE_AUTH_JWKS_FILE"]),
        ({"MODE": "production", "AUTH_DEVELOPMENT": "true"}, ["state.durable_url", "Redis or Valkey"]),
    ],
)
def test_wrong_values_stop_the_start_with_one_sentence(variables: dict[str, str], words: list[str]) -> None:
    """The message names field, value and what was expected, and holds no secret."""
    with pytest.raises(ConfigError) as error:
        load_config({f"TRABOULE_{name}": value for name, value in variables.items()})
    for word in words:
        assert word in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_variables_warn_and_name_the_likely_one() -> None:
    """A misspelt variable is reported; variables of services' own sections are not."""
    with pytest.warns(UnknownSettingWarning, match="TRABOULE_SERVER_PRT .*TRABOULE_SERVER_PORT"):
        load_config({"TRABOULE_SERVER_PRT": "1"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_config({"TRABOULE_INGEST_ANYTHING": "1", "PATH": "/bin"})


def test_a_service_reads_its_own_section() -> None:
    """A service's own dataclass follows the same rules."""

    @dataclass(frozen=True)
    class IngestConfig:
        poll_s: float = 10.0
        live: bool = False

    assert load_section("ingest", IngestConfig, {"TRABOULE_INGEST_POLL_S": "3"}) == IngestConfig(poll_s=3.0)
    with pytest.warns(UnknownSettingWarning, match="TRABOULE_INGEST_POL_S"):
        load_section("ingest", IngestConfig, {"TRABOULE_INGEST_POL_S": "3", "TRABOULE_ROUNDS_X": "1"})


def test_no_two_fields_share_a_variable() -> None:
    """The short spelling is unambiguous, and no section is named like a service's."""
    names = [name for section, field, _ in list_fields(Config) for name in set(variable_names(section, field))]
    assert len(names) == len(set(names))
    assert not {section for section, _, _ in list_fields(Config)} & set(SERVICE_NAMES)


def test_secrets_are_not_shown() -> None:
    """Passwords in URLs do not appear in the configuration's text."""
    config = load_config({"TRABOULE_STATE_LIVE_URL": "redis://services:s3cret@state:6379"})
    assert "s3cret" not in repr(config)
