"""``python -m loadtest NAME …``: run one benchmark."""

import importlib
import sys

NAMES = (
    "transit",
    "street",
    "match",
    "rounds",
    "rounds_value",
    "rounds_live",
    "rounds_sure",
    "rounds_large",
    "rounds_hubs",
    "signals",
    "feeds",
    "grpc",
    "city",
)


def main(argv: list[str]) -> int:
    """Dispatch to ``loadtest.NAME.main(arguments)``; exit status 2 for an unknown name."""
    if not argv or argv[0] not in NAMES:
        print(f"usage: python -m loadtest {{{'|'.join(NAMES)}}} …   (each knows --help)", file=sys.stderr)
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    return int(importlib.import_module(f"loadtest.{argv[0]}").main(argv[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
