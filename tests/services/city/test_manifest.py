"""A snapshot's id changes with all code that decides its bytes."""

from pathlib import Path

import grimp

from services.city.manifest import list_sources

WITHOUT_BYTES = {"routing.errors", "routing.kernels.jit", "routing.kernels.street_types", "routing.kernels.street_search"}
"""What hierarchies import that decides nothing of them: errors, types, compilation, a constant."""


def test_code_that_builds_hierarchies_is_part_of_the_identity():
    """A hierarchy belongs to one numbering of states: other code must never find an older one and take it for its own."""
    upstream = grimp.build_graph("routing").find_upstream_modules("routing.street.cch") | {"routing.street.cch"}
    needed = {Path(*module.split(".")).with_suffix(".py").as_posix() for module in upstream - WITHOUT_BYTES}
    assert needed <= set(list_sources())
    assert "services/city/hierarchies.py" in list_sources()
