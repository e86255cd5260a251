"""Thin gRPC services round the engines, and what they share."""
