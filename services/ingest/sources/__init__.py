"""One file per standard: bytes in, canonical records and findings out. Nothing of a format leaks past this package."""

from services.ingest.sources.registry import KINDS, decode

__all__ = ["KINDS", "decode"]
