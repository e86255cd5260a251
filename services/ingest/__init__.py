"""Ingest: feeds in, canonical records out; the only writer of live state."""
