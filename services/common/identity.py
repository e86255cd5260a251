"""Who calls: a tenant in a role, proved by a token (JWT) or a client certificate (mTLS).

A loopback address proves nothing: behind the edge every call comes from one. Client certificates are mapped by a TOML file::

    [[client]]
    name = "spiffe://metropolis/control-room"     # SPIFFE id or other name in the certificate, else its common name
    tenant = "control-room"
    role = "TRAFFIC_CONTROL"
"""

import time
import tomllib
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.common.config import Config
from services.common.errors import ConfigError, PermissionDenied, Unauthenticated
from services.common.rules import PUBLIC, Role, find_rule
from services.common.tokens import TokenVerifier

_MOST_CACHED = 4096
Metadata = Iterable[tuple[str, str | bytes]]
AuthContext = Mapping[str, Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: tenant, role, subject (a person or program), and how that was proved."""

    tenant: str
    role: Role | None
    subject: str
    method: Literal["jwt", "mtls", "none"]

    def __str__(self) -> str:
        return f"{self.subject} of {self.tenant} ({self.role})" if self.role else "anonymous"


ANONYMOUS = Principal("", None, "", "none")
_current: ContextVar[Principal] = ContextVar("principal", default=ANONYMOUS)


def current_principal() -> Principal:
    """Who makes the call being served."""
    return _current.get()


def set_principal(principal: Principal) -> None:
    """Make this the caller of the present task."""
    _current.set(principal)


@dataclass(slots=True)
class Authenticator:
    """Finds out who calls, and whether they may."""

    tokens: TokenVerifier
    clients: Mapping[str, Principal] = field(default_factory=dict)
    _cache: dict[str, tuple[float, Principal]] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Config) -> "Authenticator":
        """Authenticator of a service; wrong keys or mapping files raise `ConfigError`."""
        path = config.auth.mtls_clients_file
        return cls(TokenVerifier.from_config(config), {} if path is None else read_clients(path))

    def authorize(self, method: str, metadata: Metadata, auth_context: AuthContext) -> Principal:
        """Caller of a method, who may call it.

        Raises
        ------
        Unauthenticated
            If the method is not public and the caller did not prove who it is.
        PermissionDenied
            If the caller's role may not call it, or the method has no rule.
        """
        rule = find_rule(method)
        if rule is None:
            raise PermissionDenied(f"{method} has no authorisation rule, so nobody may call it")
        if rule == PUBLIC:
            return ANONYMOUS
        principal = self.identify(metadata, auth_context)
        if principal.role not in rule:
            allowed = " or ".join(sorted(rule))
            raise PermissionDenied(f"{principal} may not call {method}; it needs the role {allowed}")
        return principal

    def identify(self, metadata: Metadata, auth_context: AuthContext) -> Principal:
        """Who calls. A token counts before a certificate, and a bad token is not forgiven because of a good certificate."""
        values = [value for name, value in metadata if name.lower() == "authorization"]
        if len(values) > 1:
            raise Unauthenticated("more than one authorization header; send one")
        if values:
            value = values[0].decode("ascii", "replace") if isinstance(values[0], bytes) else values[0]
            scheme, _, token = value.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Unauthenticated("the authorization header is not of the form `Bearer <token>`")
            return self._from_token(token.strip())
        if b"ssl" in tuple(auth_context.get("transport_security_type", ())):
            principal = self._from_certificate(auth_context)
            if principal is not None:
                return principal
        raise Unauthenticated("who calls? send `authorization: Bearer <token>` or use a known client certificate")

    def _from_token(self, token: str) -> Principal:
        known = self._cache.get(token)
        if known is not None and time.time() < known[0]:
            return known[1]
        claims = self.tokens.verify(token)
        try:
            role = Role(claims["role"])
        except (KeyError, ValueError):
            raise Unauthenticated(f"the token names no role this server knows ({', '.join(Role)})") from None
        tenant, subject = claims.get("tenant"), claims["sub"]
        if not isinstance(tenant, str) or not tenant:
            raise Unauthenticated("the token names no tenant")
        principal = Principal(tenant, role, subject, "jwt")
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()
        # A key that is taken away must stop working soon, so what was checked is believed for a minute at most.
        self._cache[token] = (min(int(claims["exp"]), time.time() + 60.0), principal)
        return principal

    def _from_certificate(self, auth_context: AuthContext) -> Principal | None:
        for name in ("x509_subject_alternative_name", "x509_common_name"):
            for value in auth_context.get(name, ()):
                principal = self.clients.get(value.decode("utf-8", "replace"))
                if principal is not None:
                    return principal
        return None


def read_clients(path: Path) -> dict[str, Principal]:
    """Certificate name → caller, from a mapping file (see the module's description).

    Raises
    ------
    ConfigError
        If the file cannot be read, an entry lacks a field, or a name comes twice.
    """
    try:
        entries = tomllib.loads(path.read_text()).get("client", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"auth.mtls_clients_file: {path} cannot be read: {error}") from None
    clients: dict[str, Principal] = {}
    for number, entry in enumerate(entries, 1):
        try:
            name, tenant, role = entry["name"], entry["tenant"], Role(entry["role"])
        except (KeyError, TypeError, ValueError):
            raise ConfigError(
                f"auth.mtls_clients_file: client {number} of {path} needs name, tenant and role (one of {', '.join(Role)})"
            ) from None
        if name in clients:
            raise ConfigError(f"auth.mtls_clients_file: {name} comes twice in {path}")
        clients[name] = Principal(tenant, role, name, "mtls")
    return clients
