"""Every setting of every service: frozen, validated, with environment overrides.

``load_config()`` reads the variables that `services.common.settings` describes (``TRABOULE_SERVER_PORT=7001``, …).
A wrong value stops the start with one sentence; an unknown ``TRABOULE_`` variable is reported and otherwise ignored.
A service's own settings are a frozen dataclass read with `load_section("ingest", IngestConfig)`.
"""

import difflib
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from services.common.clock import CityClock
from services.common.errors import ConfigError
from services.common.settings import PREFIX, list_fields, read_fields, setting_error, variable_names

SERVICE_NAMES = ("ingest", "journeys", "rounds", "signals", "edge", "operations", "twin", "city", "demo", "replay")
"""Sections that services read for themselves with `load_section`; they may not be names of sections here."""

T = TypeVar("T")


class UnknownSettingWarning(UserWarning):
    """A ``TRABOULE_`` variable is set that nothing reads."""


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise setting_error(name, value, expected)


def _require_port(name: str, value: int | None) -> None:
    _require(value is None or 0 <= value <= 65535, name, value, "a port from 0 (any free one) to 65535")


def _require_file(name: str, value: Path | None) -> None:
    _require(value is None or value.is_file(), name, str(value), "the path of an existing file")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where and how gRPC is served. `ports` and `peers` are by service name; port 0 takes any free port."""

    host: str = "127.0.0.1"
    port: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    peers: dict[str, str] = field(default_factory=dict)
    announce: bool = True
    reflection: bool = True
    drain_delay_s: float = 0.0
    stream_grace_s: float = 1.0
    grace_s: float = 10.0
    keepalive_s: float = 30.0
    threads: int = 0

    def __post_init__(self) -> None:
        _require(bool(self.host.strip()), "server.host", self.host, "a host name or address to listen on")
        _require_port("server.port", self.port)
        for name, port in self.ports.items():
            _require_port(f"server.ports[{name}]", port)
        for name, address in self.peers.items():
            _require(bool(re.fullmatch(r".+:\d+|unix:.+", address)), f"server.peers[{name}]", address, "host:port")
        for name in ("drain_delay_s", "stream_grace_s", "grace_s"):
            _require(0 <= getattr(self, name) <= 3600, f"server.{name}", getattr(self, name), "0 to 3600 seconds")
        _require(1 <= self.keepalive_s <= 7200, "server.keepalive_s", self.keepalive_s, "1 to 7200 seconds")
        _require(0 <= self.threads <= 1024, "server.threads", self.threads, "0 (one per processor) to 1024")

    def port_of(self, name: str) -> int:
        """Port for the service `name`: its own from `ports`, else `port`."""
        return self.ports.get(name, self.port)


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one call may cost. A unary call never runs longer than `max_deadline_s`; streams only as long as asked."""

    max_message_bytes: int = 16 * 2**20
    max_deadline_s: float = 300.0
    default_deadline_s: float = 60.0
    max_concurrent_calls: int = 1000

    def __post_init__(self) -> None:
        _require(2**10 <= self.max_message_bytes <= 2**30, "limits.max_message_bytes", self.max_message_bytes, "1 KiB to 1 GiB")
        _require(0 < self.max_deadline_s <= 86400, "limits.max_deadline_s", self.max_deadline_s, "seconds up to 86400")
        _require(
            0 < self.default_deadline_s <= self.max_deadline_s,
            "limits.default_deadline_s",
            self.default_deadline_s,
            f"seconds up to limits.max_deadline_s ({self.max_deadline_s:g})",
        )
        _require(self.max_concurrent_calls > 0, "limits.max_concurrent_calls", self.max_concurrent_calls, "at least 1")


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """TLS when `cert_file` and `key_file` are given; with `client_ca_file` clients must show a certificate too (all PEM)."""

    cert_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None

    def __post_init__(self) -> None:
        _require_file("tls.cert_file", self.cert_file)
        _require_file("tls.key_file", self.key_file)
        _require_file("tls.client_ca_file", self.client_ca_file)
        if (self.cert_file is None) != (self.key_file is None):
            raise ConfigError("tls.cert_file and tls.key_file: only one is set; give both, or neither for no TLS")
        if self.client_ca_file is not None and self.cert_file is None:
            raise ConfigError("tls.client_ca_file: client certificates need TLS; set tls.cert_file and tls.key_file too")

    @property
    def enabled(self) -> bool:
        """Whether the server speaks TLS."""
        return self.cert_file is not None


ALGORITHMS = ("EdDSA", "ES256", "ES384", "RS256", "PS256", "HS256")


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Who may call. `development` None means: only in embedded mode."""

    issuer: str = ""
    audience: str = "traboule"
    algorithms: tuple[str, ...] = ("EdDSA", "ES256")
    key_file: Path | None = None
    jwks_file: Path | None = None
    leeway_s: float = 10.0
    mtls_clients_file: Path | None = None
    development: bool | None = None

    def __post_init__(self) -> None:
        _require(bool(self.audience), "auth.audience", self.audience, "the audience that tokens must carry")
        _require(bool(self.algorithms), "auth.algorithms", self.algorithms, "one or more of " + ", ".join(ALGORITHMS))
        for name in self.algorithms:
            _require(name in ALGORITHMS, "auth.algorithms", name, "one or more of " + ", ".join(ALGORITHMS))
        for name in ("key_file", "jwks_file", "mtls_clients_file"):
            _require_file(f"auth.{name}", getattr(self, name))
        _require(0 <= self.leeway_s <= 300, "auth.leeway_s", self.leeway_s, "0 to 300 seconds")
        if (self.key_file or self.jwks_file) and not self.issuer:
            raise ConfigError(
                "auth.issuer (TRABOULE_AUTH_ISSUER): name the issuer whose tokens the key checks", field="auth.issuer"
            )


@dataclass(frozen=True, slots=True)
class StateConfig:
    """The two state servers. Empty URLs mean the embedded ones, which the supervisor starts."""

    durable_url: str = ""
    live_url: str = ""
    retry_s: float = 10.0
    replicas: int = 0
    replica_timeout_ms: int = 1000
    events_max_length: int = 100_000
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        for name in ("durable_url", "live_url"):
            url: str = getattr(self, name)
            scheme = urlsplit(url).scheme
            _require(
                not url or scheme in ("redis", "rediss", "unix"),
                f"state.{name}",
                mask_url(url),
                "redis://, rediss:// or unix://",
            )
        _require(0 < self.retry_s <= 600, "state.retry_s", self.retry_s, "seconds up to 600")
        _require(0 <= self.replicas <= 16, "state.replicas", self.replicas, "0 to 16 replicas to wait for")
        _require(
            1 <= self.replica_timeout_ms <= 60_000,
            "state.replica_timeout_ms",
            self.replica_timeout_ms,
            "1 to 60000 milliseconds",
        )
        _require(self.events_max_length >= 100, "state.events_max_length", self.events_max_length, "at least 100")
        _require_file("state.ca_file", self.ca_file)

    def __repr__(self) -> str:
        return f"StateConfig(durable_url={mask_url(self.durable_url)!r}, live_url={mask_url(self.live_url)!r})"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How events are logged: `auto` is console on a terminal, JSON elsewhere."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Where Prometheus metrics are served; `port` None switches them off, 0 takes any free port."""

    host: str = "127.0.0.1"
    port: int | None = None

    def __post_init__(self) -> None:
        _require_port("metrics.port", self.port)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one process."""

    home: Path = Path(".traboule")
    cities: tuple[str, ...] = ("porto",)
    mode: Literal["embedded", "production"] = "embedded"
    clock: str = ""
    server: ServerConfig = field(default_factory=ServerConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    tls: TlsConfig = field(default_factory=TlsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    state: StateConfig = field(default_factory=StateConfig)
    log: LogConfig = field(default_factory=LogConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)

    def __post_init__(self) -> None:
        _require(bool(self.cities), "cities", ",".join(self.cities), "one or more city names")
        for name in self.cities:
            _require(bool(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name)), "cities", name, "names like porto: a-z, 0-9, _ and -")
        CityClock.parse(self.clock)
        object.__setattr__(self, "home", self.home.expanduser().absolute())
        if self.mode == "production":
            self._check_production()

    def _check_production(self) -> None:
        known = self.auth.key_file or self.auth.jwks_file or self.auth.mtls_clients_file or self.auth.development
        if not known:
            raise ConfigError(
                "auth: production mode needs a way to know callers; set TRABOULE_AUTH_KEY_FILE or TRABOULE_AUTH_JWKS_FILE "
                "(with TRABOULE_AUTH_ISSUER), or TRABOULE_AUTH_MTLS_CLIENTS_FILE",
                field="auth",
            )
        for name in ("durable_url", "live_url"):
            _require(
                bool(getattr(self.state, name)), f"state.{name}", "", "the URL of a Redis or Valkey server in production mode"
            )

    @property
    def city(self) -> str:
        """The first city served: the one meant where a call names none."""
        return self.cities[0]

    @property
    def run_dir(self) -> Path:
        """Folder of what lives only while the city runs: sockets, keys, addresses."""
        return self.home / "run"

    @property
    def development_tokens(self) -> bool:
        """Whether the development key is trusted."""
        return self.mode == "embedded" if self.auth.development is None else self.auth.development

    def city_clock(self) -> CityClock:
        """The clock that `clock` asks for."""
        return CityClock.parse(self.clock)


def mask_url(url: str) -> str:
    """URL without its password, for messages."""
    return re.sub(r"(//[^/@]*:)[^/@]*@", r"\1***@", url)


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Configuration from defaults and environment (``os.environ`` unless given).

    Raises
    ------
    ConfigError
        With one sentence naming field, value and what was expected.
    """
    environ = os.environ if environ is None else environ
    known = {name for section, name_, _ in list_fields(Config) for name in variable_names(section, name_)}
    _warn_unknown(environ, known)
    return read_fields(Config, "", environ)


def load_section(section: str, cls: type[T], environ: Mapping[str, str] | None = None) -> T:
    """A service's own settings, ``TRABOULE_<SECTION>_<FIELD>``, as the frozen dataclass `cls`; raises like `load_config`."""
    environ = os.environ if environ is None else environ
    known = {name for _, name_, _ in list_fields(cls) for name in variable_names(section, name_)}
    start = f"{PREFIX}{section.upper()}_"
    _warn_unknown({name: value for name, value in environ.items() if name.startswith(start)}, known, own_sections=())
    return read_fields(cls, section, environ)


def _warn_unknown(environ: Mapping[str, str], known: set[str], own_sections: tuple[str, ...] = SERVICE_NAMES) -> None:
    prefixes = tuple(f"{PREFIX}{name.upper()}_" for name in own_sections)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith(prefixes):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        warnings.warn(f"{name} is set but nothing reads it{hint}", UnknownSettingWarning, stacklevel=3)
