"""The processes a city is made of."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import InvalidInput

if TYPE_CHECKING:  # the state servers are not needed to name a part
    from services.common.state.embedded import Role


@dataclass(frozen=True, slots=True)
class Part:
    """One process: its name, its module, and the state user it works as."""

    name: str
    state_role: "Role" = "services"

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [sys.executable, "-m", "services.supervisor.launch", self.name]


PARTS = {
    part.name: part for part in (Part("ingest"), Part("journeys"), Part("rounds"), Part("signals", "signals"), Part("edge"))
}
"""All parts, in the order they are started; they are stopped in the reverse order."""


def choose_parts(names: tuple[str, ...]) -> list[Part]:
    """Parts by name; nothing or ``all`` means every one.

    Raises
    ------
    InvalidInput
        For an unknown name.
    """
    for name in names:
        if name != "all" and name not in PARTS:
            raise InvalidInput(f"{name!r} is no service; choose among all, {', '.join(PARTS)}", field="services")
    return [part for part in PARTS.values() if not names or "all" in names or part.name in names]
