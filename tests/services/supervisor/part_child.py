"""A part as small as can be: a real server with health checks and nothing else. ``python part_child.py NAME``."""

import asyncio
import sys

import grpc

from services.common.config import load_config
from services.common.server import serve


def register(_server: grpc.aio.Server) -> list[str]:
    """No services but health."""
    return []


if __name__ == "__main__":
    if sys.argv[1] == "broken":
        print("the map is missing: build the city first", flush=True)
        sys.exit(3)
    asyncio.run(serve(load_config(), sys.argv[1], register))
