"""Envoy's configuration as plain data: one listener, one cluster for each process of the city.

Clusters stand in a file of their own that Envoy watches: when a service moves, the file is replaced and no call is lost.
References: https://www.envoyproxy.io/docs (v3 API).
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.edge.config import LOOPBACK_ORIGINS, SERVICES, EdgeConfig, split_address

Json = dict[str, Any]

FILTER = "type.googleapis.com/envoy.extensions.filters.http"
MONITOR = "type.googleapis.com/envoy.extensions.resource_monitors"
ALLOWED_HEADERS = "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout,traboule-city,traceparent"
EXPOSED_HEADERS = "grpc-status,grpc-message,grpc-status-details-bin"
MAX_CONNECTIONS = 10_000
HTTP_TO_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 429: 8, 500: 13, 502: 14, 503: 14, 504: 4}
"""Code in the body of errors that Envoy itself answers, as google.rpc.Code; others are 2 (UNKNOWN)."""


def build_bootstrap(
    config: EdgeConfig, descriptors: Path, openapi: str, strict_json: str, tls: tuple[Path, Path] | None = None
) -> Json:
    """Whole configuration; `clusters.json` and the admin socket lie in Envoy's working directory.

    Parameters
    ----------
    descriptors
        File descriptor set with services, their HTTP annotations and the error details.
    openapi
        Body to serve at ``/openapi.json``.
    strict_json
        Lua source that refuses unknown fields.
    tls
        Certificate and key (PEM) to serve with; None = plain text.
    """
    listener: Json = {
        "name": "edge",
        "address": {"socket_address": {"address": config.host, "port_value": config.port}},
        "per_connection_buffer_limit_bytes": config.max_body_bytes,
        "filter_chains": [{"filters": [build_connection_manager(config, descriptors, openapi, strict_json)]}],
    }
    if tls is not None:
        certificate = {"certificate_chain": {"filename": str(tls[0])}, "private_key": {"filename": str(tls[1])}}
        listener["filter_chains"][0]["transport_socket"] = transport_socket(
            "Downstream", {"tls_certificates": [certificate], "alpn_protocols": ["h2", "http/1.1"]}
        )
    return {
        "node": {"id": "edge", "cluster": "edge"},
        "admin": {"address": {"pipe": {"path": "envoy-admin.sock", "mode": 0o600}}},
        "dynamic_resources": {"cds_config": {"path_config_source": {"path": "./clusters.json"}, "resource_api_version": "V3"}},
        "static_resources": {"listeners": [listener]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{MONITOR}.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": MAX_CONNECTIONS,
                    },
                }
            ]
        },
    }


def build_connection_manager(config: EdgeConfig, descriptors: Path, openapi: str, strict_json: str) -> Json:
    """HTTP of the listener: health, CORS, gRPC-Web, JSON, then on to the services."""
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "edge",
            "codec_type": "AUTO",
            "use_remote_address": True,
            "stream_idle_timeout": "0s",
            "request_headers_timeout": "10s",
            "normalize_path": True,
            "merge_slashes": True,
            "server_name": "traboule",
            "route_config": build_routes(config, openapi),
            "local_reply_config": {"mappers": [build_error_mapper(*pair) for pair in HTTP_TO_GRPC.items()]},
            "http_filters": [
                {"name": "cors", "typed_config": {"@type": f"{FILTER}.cors.v3.Cors"}},
                {"name": "health", "typed_config": build_health_filter()},
                {"name": "grpc_web", "typed_config": {"@type": f"{FILTER}.grpc_web.v3.GrpcWeb"}},
                {"name": "strict_json", "typed_config": build_lua_filter(strict_json)},
                {"name": "json", "typed_config": build_transcoder(config, descriptors)},
                {"name": "router", "typed_config": {"@type": f"{FILTER}.router.v3.Router"}},
            ],
        },
    }


def build_error_mapper(http: int, code: int) -> Json:
    """Errors of Envoy itself look like those of the services: a google.rpc.Status in JSON. gRPC callers get trailers.

    By then the JSON filter may have turned the call into a gRPC call; the path it came with tells.
    """
    status = {"comparison": {"op": "EQ", "value": {"default_value": http, "runtime_key": f"edge.error_{http}"}}}
    grpc_type = {"string_match": {"prefix": "application/grpc"}, "invert_match": True, "treat_missing_header_as_empty": True}
    is_json = [
        {"header_filter": {"header": {"name": "content-type", **grpc_type}}},
        {"header_filter": {"header": {"name": "x-envoy-original-path", "present_match": True}}},
    ]
    return {
        "filter": {"and_filter": {"filters": [{"status_code_filter": status}, {"or_filter": {"filters": is_json}}]}},
        "body_format_override": {"json_format": {"code": code, "message": "%LOCAL_REPLY_BODY%", "details": []}},
    }


def build_health_filter() -> Json:
    """``/healthz``: 200 if every process of the city answers its health check, else 503."""
    return {
        "@type": f"{FILTER}.health_check.v3.HealthCheck",
        "pass_through_mode": False,
        "headers": [{"name": ":path", "string_match": {"exact": "/healthz"}}],
        "cluster_min_healthy_percentages": {name: {"value": 100} for name in SERVICES},
    }


def build_lua_filter(source: str) -> Json:
    """A filter written in Lua."""
    return {"@type": f"{FILTER}.lua.v3.Lua", "default_source_code": {"inline_string": source}}


def build_transcoder(config: EdgeConfig, descriptors: Path) -> Json:
    """JSON to gRPC and back; what the contract does not know is refused, not ignored. Streams are one JSON object a line."""
    return {
        "@type": f"{FILTER}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors),
        "services": [service for services in SERVICES.values() for service in services],
        "print_options": {"always_print_primitive_fields": True, "stream_newline_delimited": True},
        "convert_grpc_status": True,
        "url_unescape_spec": "ALL_CHARACTERS",
        "max_request_body_size": config.max_body_bytes,
        "max_response_body_size": config.max_body_bytes,
        "request_validation_options": {"reject_unknown_method": True, "reject_unknown_query_parameters": True},
    }


def build_routes(config: EdgeConfig, openapi: str) -> Json:
    """Routes by gRPC service name: the JSON filter has rewritten the path by then."""
    origins = [LOOPBACK_ORIGINS, *config.origins]
    cors = {
        "@type": f"{FILTER}.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"safe_regex": {"regex": origin}} for origin in origins],
        "allow_methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
        "allow_headers": ALLOWED_HEADERS,
        "expose_headers": EXPOSED_HEADERS,
        "max_age": "600",
    }
    route_off = {"json": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}}
    document = {
        "match": {"path": "/openapi.json"},
        "direct_response": {"status": 200, "body": {"inline_string": openapi}},
        "response_headers_to_add": [json_type()],
        "typed_per_filter_config": route_off,
    }
    nothing = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": "No such path: /openapi.json lists what there is."}},
    }
    services = [
        {
            "match": {"prefix": f"/{service}/"},
            "route": {"cluster": cluster, "timeout": "0s", "max_stream_duration": {"grpc_timeout_header_max": "0s"}},
        }
        for cluster, names in SERVICES.items()
        for service in names
    ]
    # Never carried out: the JSON filter rewrites or refuses these. But before it, CORS wants a route that leads somewhere.
    before_json = {"match": {"prefix": "/v1/"}, "route": {"cluster": "ingest"}}
    host = {
        "name": "city",
        "domains": ["*"],
        "typed_per_filter_config": {"cors": cors},
        "routes": [document, *services, before_json, nothing],
    }
    return {
        "name": "edge",
        "virtual_hosts": [host],
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": len(openapi.encode()) + 4096,
    }


def json_type() -> Json:
    """Header of a JSON body."""
    return {"header": {"key": "content-type", "value": "application/json"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def build_clusters(upstreams: Mapping[str, str], config: EdgeConfig) -> Json:
    """Content of `clusters.json`: where each process listens, by its name in `SERVICES`.

    A process without address gets an empty cluster: its calls are answered with UNAVAILABLE.

    Raises
    ------
    ConfigError
        If an address is not ``host:port``.
    """
    clusters = [build_cluster(name, upstreams.get(name, ""), config) for name in SERVICES]
    return {"version_info": "1", "resources": clusters}


def build_cluster(name: str, address: str, config: EdgeConfig) -> Json:
    """One process: HTTP/2, with the standard gRPC health check."""
    cluster: Json = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": []},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": "5s",
                "unhealthy_interval": "1s",
                "no_traffic_interval": "5s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "grpc_health_check": {},
            }
        ],
    }
    if address:
        host, port = split_address(name, address)
        cluster["type"] = "STATIC" if is_ip(host) else "STRICT_DNS"
        endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": [endpoint]}]
        if config.upstream_ca_file is not None:
            validation = {"trusted_ca": {"filename": str(config.upstream_ca_file)}}
            cluster["transport_socket"] = transport_socket("Upstream", {"validation_context": validation}, sni=host)
    return cluster


def transport_socket(side: str, common: Json, sni: str = "") -> Json:
    """TLS of the listener (`Downstream`) or of a cluster (`Upstream`)."""
    kind = f"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{side}TlsContext"
    typed: Json = {"@type": kind, "common_tls_context": common}
    if sni:
        typed["sni"] = sni
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}


def is_ip(host: str) -> bool:
    """Whether the host is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
