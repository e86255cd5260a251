"""Launcher: die with the parent, then become the given program.

Run as ``python -I -S parent_death.py <parent pid> <signal> <program> [argument …]``. It imports nothing of the project so
that it starts in milliseconds. The kernel keeps the parent-death signal across ``execv``. When the parent died before
the signal was armed, nobody would ever send it: hence the check of the parent's pid afterwards.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Arm the parent-death signal and replace this process by the program."""
    parent_pid, death_signal, program = int(arguments[0]), int(arguments[1]), arguments[2]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        sys.exit(1)
    os.execv(program, arguments[2:])


if __name__ == "__main__":
    main(sys.argv[1:])
