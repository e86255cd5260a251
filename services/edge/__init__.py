"""The way in for browsers and curl: Envoy turns REST/JSON and gRPC-Web into calls of the same services."""
