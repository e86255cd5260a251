"""Tokens: checking JWTs, and the development key that the embedded mode makes for its own tools.

The development key lies in ``<home>/run/development_key.pem``, readable by its owner alone: who may read that file is who
may act in the embedded city. It is trusted only where ``auth.development`` is on (never by default in production).
"""

import functools
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.common.config import AuthConfig, Config
from services.common.errors import ConfigError, FailedPrecondition, Unauthenticated, Unavailable
from services.common.rules import Role

DEVELOPMENT_ISSUER = "traboule-development"
DEVELOPMENT_TENANT = "development"
DEVELOPMENT_LIFETIME_S = 12 * 3600
_KEY_NAME = "development_key.pem"
log = structlog.get_logger("identity")
_HINT = "send `authorization: Bearer <token>` with a valid token"


def development_key_path(home: Path) -> Path:
    """Where the development key of a home folder lies."""
    return home / "run" / _KEY_NAME


def ensure_development_key(home: Path) -> Path:
    """Make the development key unless it is there; safe when several processes do it at once."""
    path = development_key_path(home)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    temporary = path.with_name(f".{_KEY_NAME}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path


def issue_development_token(
    home: Path, role: Role | str, *, tenant: str = DEVELOPMENT_TENANT, subject: str = "developer", lifetime_s: int | None = None
) -> str:
    """Token for the embedded city's own tools and pages.

    Raises
    ------
    FailedPrecondition
        If the city of `home` has no development key: it does not run, or is not yours.
    """
    path = development_key_path(home)
    try:
        key = _read_development_key(path)
    except (FileNotFoundError, PermissionError):
        raise FailedPrecondition(
            f"there is no development key that you may read at {path}: start the city with `traboule serve all`, "
            "or give a token of your identity provider"
        ) from None
    now = int(time.time())
    claims = {
        "iss": DEVELOPMENT_ISSUER,
        "aud": "traboule",
        "sub": subject,
        "tenant": tenant,
        "role": str(Role(role)),
        "iat": now,
        "exp": now + (DEVELOPMENT_LIFETIME_S if lifetime_s is None else lifetime_s),
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "development"})


def _read_development_key(path: Path) -> Ed25519PrivateKey:
    information = path.stat()
    if information.st_mode & 0o077:
        raise FailedPrecondition(f"{path} may be read by others; remove it and start the city again to get a new key")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise FailedPrecondition(f"{path} is not an Ed25519 key; remove it and start the city again")
    return key


@dataclass(slots=True)
class TokenVerifier:
    """Checks tokens against the configured keys and, where trusted, the development key."""

    config: AuthConfig
    development_home: Path | None = None
    _keys: dict[str, tuple[float, Any]] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Config) -> "TokenVerifier":
        """Verifier for a service; makes the development key where it is trusted."""
        home = config.home if config.development_tokens else None
        if home is not None:
            ensure_development_key(home)
        verifier = cls(config.auth, home)
        verifier.check_keys()
        return verifier

    def check_keys(self) -> None:
        """Read the configured keys once, so that a wrong one stops the start."""
        for path in (self.config.key_file, self.config.jwks_file):
            if path is not None:
                self._load(path)

    def verify(self, token: str) -> Mapping[str, Any]:
        """Claims of a valid token.

        Raises
        ------
        Unauthenticated
            If the token is malformed, expired, for somebody else, of an unknown issuer or signed with an unknown key.
        """
        try:
            header = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
            if issuer == DEVELOPMENT_ISSUER:
                key, algorithms, audience = self._development_key(), ["EdDSA"], "traboule"
            else:
                key, algorithms, audience = self._key(header), list(self.config.algorithms), self.config.audience
                issuer = self.config.issuer
            return jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=audience,
                issuer=issuer,
                leeway=self.config.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get a new one") from None
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid: {error}; {_HINT}") from None

    def _development_key(self) -> Any:
        if self.development_home is None:
            raise Unauthenticated(f"development tokens are not accepted here; {_HINT}")
        path = development_key_path(self.development_home)
        try:
            return self._cached(path, lambda: _read_development_key(path).public_key())
        except FileNotFoundError:
            raise Unauthenticated(f"the development key {path} is gone; restart the city") from None

    def _key(self, header: Mapping[str, Any]) -> Any:
        if self.config.key_file is None and self.config.jwks_file is None:
            raise Unauthenticated(f"this server knows no token issuer; set auth.key_file or auth.jwks_file, or {_HINT}")
        try:
            return self._find_key(header)
        except (OSError, ConfigError) as error:
            # Being rotated, or spoilt: callers can do nothing but wait, and need not know where it lies.
            log.error("keys_not_readable", error=str(error))
            raise Unavailable("the keys by which tokens are checked cannot be read at present", retry_after_s=5.0) from None

    def _find_key(self, header: Mapping[str, Any]) -> Any:
        if self.config.jwks_file is not None:
            keys = self._load(self.config.jwks_file)
            kid = header.get("kid")
            found = keys.get(kid) if kid is not None else next(iter(keys.values())) if len(keys) == 1 else None
            if found is not None:
                return found
            if self.config.key_file is None:
                raise Unauthenticated(f"the token is signed with the key {kid!r}, which this server does not know; {_HINT}")
        assert self.config.key_file is not None
        return self._load(self.config.key_file)

    def _load(self, path: Path) -> Any:
        read = _read_jwks if path == self.config.jwks_file else functools.partial(_read_key, algorithms=self.config.algorithms)
        return self._cached(path, lambda: read(path))

    def _cached(self, path: Path, read: Any) -> Any:
        """Key from a file, read again when the file changed: keys are rotated without a restart."""
        changed_at = path.stat().st_mtime
        known = self._keys.get(str(path))
        if known is None or known[0] != changed_at:
            known = self._keys[str(path)] = (changed_at, read())
        return known[1]


def _read_key(path: Path, algorithms: tuple[str, ...]) -> Any:
    data = path.read_bytes()
    if b"-----BEGIN" not in data:
        if algorithms == ("HS256",) and len(data.strip()) >= 32:
            return data.strip()
        raise ConfigError(f"auth.key_file: {path} is not a PEM public key (a plain secret of 32 bytes needs algorithms HS256)")
    if "HS256" in algorithms:
        raise ConfigError("auth.algorithms: HS256 beside a PEM key would let anybody sign with the public key; leave it out")
    try:
        return serialization.load_pem_public_key(data)
    except ValueError as error:
        raise ConfigError(f"auth.key_file: {path} cannot be read as a PEM public key: {error}") from None


def _read_jwks(path: Path) -> dict[str | None, Any]:
    try:
        keys = jwt.PyJWKSet.from_dict(json.loads(path.read_text())).keys
    except (ValueError, jwt.PyJWTError) as error:
        raise ConfigError(f"auth.jwks_file: {path} cannot be read as a JWKS: {error}") from None
    return {key.key_id: key for key in keys}
