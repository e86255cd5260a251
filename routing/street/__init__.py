"""Quickest ways on the street network: `api` is what is called from outside."""
