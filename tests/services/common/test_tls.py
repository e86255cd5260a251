"""TLS and client certificates over real handshakes."""

from pathlib import Path

import grpc
import pytest
from cryptography import x509
from traboule.feeds.v1 import feeds_service_pb2 as pb
from traboule.feeds.v1.feeds_service_pb2_grpc import FeedsServiceStub

from services.common.config import Config
from tests.builders.certificates import Authority
from tests.builders.city_service import DrawnServicer, registering
from tests.builders.servers import config_for, grpc_server
from tests.builders.waiting import PATIENCE_S

REQUEST = pb.GetFeedRequest(feed_id="stcp")


async def _answer(_request: object, _context: object) -> None:
    return None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The metropolis's certificate authority."""
    return Authority(tmp_path)


@pytest.fixture
def config(tmp_path: Path, authority: Authority) -> Config:
    """A server that wants certificates of the authority and knows one client."""
    cert_file, key_file = authority.issue("server")
    clients = tmp_path / "clients.toml"
    clients.write_text('[[client]]\nname = "spiffe://city/operator"\ntenant = "stcp"\nrole = "TRANSPORT_OPERATOR"\n')
    files = {"CERT_FILE": cert_file, "KEY_FILE": key_file, "CLIENT_CA_FILE": authority.certificate_file}
    variables = {f"TLS_{name}": str(path) for name, path in files.items()}
    return config_for(tmp_path, **variables, AUTH_MTLS_CLIENTS_FILE=str(clients))


async def _call(address: str, authority: Authority, client: tuple[Path, Path] | None) -> object:
    pair = (None, None) if client is None else (client[1].read_bytes(), client[0].read_bytes())
    credentials = grpc.ssl_channel_credentials(authority.certificate_file.read_bytes(), *pair)
    async with grpc.aio.secure_channel(address, credentials) as channel:
        return await FeedsServiceStub(channel).GetFeed(REQUEST, timeout=PATIENCE_S)


async def test_a_known_certificate_says_who_calls(config: Config, authority: Authority, tmp_path: Path) -> None:
    """Mapped SPIFFE ids may call; valid certificates nobody mapped, other authorities' and none may not."""
    known = authority.issue("operator", x509.UniformResourceIdentifier("spiffe://city/operator"))
    stranger = authority.issue("stranger", x509.UniformResourceIdentifier("spiffe://city/stranger"))
    forged = Authority(tmp_path, "forger").issue("forged", x509.UniformResourceIdentifier("spiffe://city/operator"))
    async with grpc_server(config, registering(DrawnServicer(_answer))) as server:
        assert await _call(server.address, authority, known) == pb.GetFeedResponse()
        for client, code in ((stranger, "UNAUTHENTICATED"), (forged, "UNAVAILABLE"), (None, "UNAVAILABLE")):
            with pytest.raises(grpc.RpcError) as caught:
                await _call(server.address, authority, client)
            assert caught.value.code().name == code


async def test_plain_connections_are_refused(config: Config) -> None:
    """A server with TLS does not fall back to plain text."""
    async with grpc_server(config, registering(DrawnServicer(_answer))) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                await FeedsServiceStub(channel).GetFeed(REQUEST, timeout=3)
        assert caught.value.code().name in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
