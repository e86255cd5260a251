"""Parts for a supervisor: real processes with a real health check, and nothing else."""

import sys
from dataclasses import dataclass
from pathlib import Path

from services.supervisor.parts import Part

CHILD = Path(__file__).resolve().parents[1] / "services" / "supervisor" / "part_child.py"


@dataclass(frozen=True, slots=True)
class DrawnPart(Part):
    """A part that runs the small server."""

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [sys.executable, str(CHILD), self.name]


def drawn_part(name: str) -> DrawnPart:
    """A part by its name; ``broken`` ends while it starts."""
    return DrawnPart(name)
