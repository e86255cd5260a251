"""Who calls: tokens of every kind, good and bad; certificates; the development key."""

import hmac
import json
import os
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.common.config import AuthConfig
from services.common.errors import ConfigError, FailedPrecondition, PermissionDenied, Unauthenticated, Unavailable
from services.common.identity import ANONYMOUS, Authenticator, Principal, read_clients
from services.common.rules import Role
from services.common.tokens import TokenVerifier, development_key_path, issue_development_token
from tests.builders.servers import config_for

PLAN = "/traboule.journeys.v1.JourneysService/PlanJourneys"
SET_MODE = "/traboule.signals.v1.SignalsService/SetMode"
KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
LOOPBACK: dict[str, list[bytes]] = {"transport_security_type": [b"insecure"]}


def _public(key: Any) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": "idp",
        "aud": "traboule",
        "sub": "ana",
        "tenant": "stcp",
        "role": "TRANSPORT_OPERATOR",
        "exp": time.time() + 60,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def _bearer(token: str) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer {token}")]


@pytest.fixture
def production(tmp_path: Path) -> Authenticator:
    """Authenticator that trusts one key of the issuer `idp` and no development tokens."""
    (tmp_path / "key.pem").write_bytes(_public(KEY))
    settings = {"AUTH_KEY_FILE": str(tmp_path / "key.pem"), "AUTH_ISSUER": "idp", "AUTH_DEVELOPMENT": "false"}
    return Authenticator.from_config(config_for(tmp_path, **settings))


def test_a_good_token_tells_tenant_and_role(production: Authenticator) -> None:
    """Twice, because the second time it comes from the cache."""
    token = jwt.encode(_claims(), KEY, "EdDSA")
    for _ in range(2):
        principal = production.authorize(PLAN, _bearer(token), LOOPBACK)
        assert principal == Principal("stcp", Role.TRANSPORT_OPERATOR, "ana", "jwt")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"aud": "other"}, "udience"),
        ({"iss": "evil"}, "ssuer"),
        ({"role": "KING"}, "no role this server knows"),
        ({"role": None}, "no role"),
        ({"tenant": ""}, "no tenant"),
        ({"sub": None}, "sub"),
        ({"nbf": time.time() + 86_400}, "not yet valid"),
    ],
)
def test_bad_claims_are_refused(production: Authenticator, changes: dict[str, Any], words: str) -> None:
    """Each with what is wrong."""
    with pytest.raises(Unauthenticated, match=words):
        production.authorize(PLAN, _bearer(jwt.encode(_claims(**changes), KEY, "EdDSA")), LOOPBACK)


def test_forged_tokens_are_refused(production: Authenticator) -> None:
    """Another key, no signature, a secret made of the public key, rubbish, a development token of somebody's own."""
    hmac_header, payload = (
        jwt.utils.base64url_encode(json.dumps(part).encode()).decode() for part in ({"alg": "HS256"}, _claims())
    )
    signature = hmac.digest(_public(KEY), f"{hmac_header}.{payload}".encode(), "sha256")
    confused = jwt.utils.base64url_encode(signature).decode()
    forged = [
        jwt.encode(_claims(), OTHER_KEY, "EdDSA"),
        jwt.encode(_claims(), None, "none"),  # type: ignore[arg-type]
        f"{hmac_header}.{payload}.{confused}",
        jwt.encode(_claims(iss="traboule-development"), OTHER_KEY, "EdDSA"),
        "rubbish",
        "a.b.c",
    ]
    for token in forged:
        with pytest.raises(Unauthenticated):
            production.authorize(PLAN, _bearer(token), LOOPBACK)


@pytest.mark.parametrize(
    "metadata", [[], [("authorization", "Basic YTpi")], [("authorization", "Bearer ")], [*_bearer("a"), *_bearer("b")]]
)
def test_a_loopback_address_proves_nothing(production: Authenticator, metadata: list[tuple[str, str | bytes]]) -> None:
    """Without a usable token nobody may call, wherever the call comes from."""
    with pytest.raises(Unauthenticated):
        production.authorize(PLAN, metadata, LOOPBACK)


def test_roles_decide(production: Authenticator) -> None:
    """A known caller in the wrong role is denied; methods without a rule are denied to all; health is public."""
    with pytest.raises(PermissionDenied, match=r"ana of stcp \(TRANSPORT_OPERATOR\) may not call .*SetMode.* TRAFFIC_CONTROL"):
        production.authorize(SET_MODE, _bearer(jwt.encode(_claims(), KEY, "EdDSA")), LOOPBACK)
    with pytest.raises(PermissionDenied, match="no authorisation rule"):
        production.authorize("/traboule.x.v1.X/Y", _bearer(jwt.encode(_claims(), KEY, "EdDSA")), LOOPBACK)
    assert production.authorize("/grpc.health.v1.Health/Check", [], LOOPBACK) is ANONYMOUS


def test_keys_of_a_set_are_found_by_name_and_rotated(tmp_path: Path) -> None:
    """JWKS with an EC key; after the file changed the old key stops working for new tokens."""
    path = tmp_path / "jwks.json"
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]

    def write(number: int) -> None:
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(keys[number].public_key())) | {"kid": f"k{number}", "alg": "ES256"}
        path.write_text(json.dumps({"keys": [key]}))

    write(0)
    changed_at = path.stat().st_mtime
    authenticator = Authenticator.from_config(config_for(tmp_path, AUTH_JWKS_FILE=str(path), AUTH_ISSUER="idp"))
    tokens = [jwt.encode(_claims(), keys[number], "ES256", headers={"kid": f"k{number}"}) for number in range(2)]
    assert authenticator.identify(_bearer(tokens[0]), LOOPBACK).tenant == "stcp"
    with pytest.raises(Unauthenticated, match="'k1', which this server does not know"):
        authenticator.identify(_bearer(tokens[1]), LOOPBACK)
    write(1)
    os.utime(path, (changed_at + 1, changed_at + 1))  # some file systems count in seconds
    assert authenticator.identify(_bearer(tokens[1]), LOOPBACK).tenant == "stcp"
    with pytest.raises(Unauthenticated):
        authenticator.identify(_bearer(jwt.encode(_claims(sub="b"), keys[0], "ES256", headers={"kid": "k0"})), LOOPBACK)


def test_the_development_key_is_its_owner_s_alone(tmp_path: Path) -> None:
    """It is made on start, private, works for the embedded city, and only where trusted."""
    with pytest.raises(FailedPrecondition, match="start the city"):
        issue_development_token(tmp_path, Role.LOGISTICS)
    embedded = Authenticator.from_config(config_for(tmp_path))
    path = development_key_path(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    token = issue_development_token(tmp_path, "TRAFFIC_CONTROL")
    assert embedded.authorize(SET_MODE, _bearer(token), LOOPBACK).tenant == "development"
    strict = Authenticator.from_config(config_for(tmp_path, AUTH_DEVELOPMENT="false"))
    with pytest.raises(Unauthenticated, match="development tokens are not accepted"):
        strict.authorize(SET_MODE, _bearer(token), LOOPBACK)
    with pytest.raises(Unauthenticated, match="expired"):
        embedded.identify(_bearer(issue_development_token(tmp_path, Role.LOGISTICS, lifetime_s=-100)), LOOPBACK)
    path.chmod(0o644)
    with pytest.raises(FailedPrecondition, match="may be read by others"):
        issue_development_token(tmp_path, Role.LOGISTICS)


def test_certificates_are_mapped_by_name(tmp_path: Path) -> None:
    """A SPIFFE id or common name from the file; unknown names and bad tokens beside good certificates are refused."""
    path = tmp_path / "clients.toml"
    path.write_text('[[client]]\nname = "spiffe://city/control"\ntenant = "control"\nrole = "TRAFFIC_CONTROL"\n')
    authenticator = Authenticator.from_config(config_for(tmp_path, AUTH_MTLS_CLIENTS_FILE=str(path)))
    peer = {"transport_security_type": [b"ssl"], "x509_subject_alternative_name": [b"spiffe://city/control"]}
    assert authenticator.authorize(SET_MODE, [], peer) == Principal(
        "control", Role.TRAFFIC_CONTROL, "spiffe://city/control", "mtls"
    )
    for bad in ({**peer, "x509_subject_alternative_name": [b"spiffe://city/x"]}, {**peer, **LOOPBACK}):
        with pytest.raises(Unauthenticated):
            authenticator.authorize(SET_MODE, [], bad)
    with pytest.raises(Unauthenticated):
        authenticator.authorize(SET_MODE, _bearer("rubbish"), peer)


@pytest.mark.parametrize(
    "content", ["[[client]\n", '[[client]]\nname = "a"\n', '[[client]]\nname="a"\ntenant="t"\nrole="KING"\n']
)
def test_wrong_mapping_files_stop_the_start(tmp_path: Path, content: str) -> None:
    """With the file's name in the sentence."""
    (tmp_path / "c.toml").write_text(content)
    with pytest.raises(ConfigError, match=r"auth.mtls_clients_file: .*c\.toml"):
        read_clients(tmp_path / "c.toml")


@pytest.mark.parametrize(
    ("content", "algorithms", "words"), [(b"x", "EdDSA", "not a PEM"), (_public(KEY), "EdDSA,HS256", "HS256")]
)
def test_wrong_keys_stop_the_start(tmp_path: Path, content: bytes, algorithms: str, words: str) -> None:
    """No PEM, or a secret algorithm beside a public key."""
    (tmp_path / "k").write_bytes(content)
    config = config_for(tmp_path, AUTH_KEY_FILE=str(tmp_path / "k"), AUTH_ISSUER="idp", AUTH_ALGORITHMS=algorithms)
    with pytest.raises(ConfigError, match=words):
        Authenticator.from_config(config)


def test_keys_that_cannot_be_read_are_nobody_s_fault(tmp_path: Path) -> None:
    """While keys are rotated callers are told to wait, not where they lie."""
    path = tmp_path / "keys.json"
    key = Ed25519PrivateKey.generate()
    path.write_text(json.dumps({"keys": [json.loads(OKPAlgorithm.to_jwk(key.public_key())) | {"kid": "a"}]}))
    verifier = TokenVerifier(AuthConfig(issuer="me", jwks_file=path))
    claims = {"iss": "me", "aud": "traboule", "sub": "s", "exp": int(time.time()) + 60, "tenant": "t", "role": "LOGISTICS"}
    token = jwt.encode(claims, key, "EdDSA", headers={"kid": "a"})
    assert verifier.verify(token)["sub"] == "s"
    for spoil in (lambda: path.write_text("{"), path.unlink):
        spoil()
        with pytest.raises(Unavailable) as caught:
            verifier.verify(token)
        assert str(tmp_path) not in str(caught.value)
