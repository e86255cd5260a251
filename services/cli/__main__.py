"""``python -m services.cli``: the ``traboule`` command where it is not on the path."""

from services.cli import main

main()
