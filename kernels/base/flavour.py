"""Which execution of the kernel source this process runs, read once from the environment.

PFNSTORM_FLAVOUR is one of
  fast      the protocols alone
  checked   and the shadow words and chaos points
  bounds    checked, and a bounds check on every access, atomics included
  explored  the shadow words, and each access asks a scheduler (points.py); for stress/explore only
With NUMBA_DISABLE_JIT=1 the same source is interpreted, in any flavour.

The compiled flavours depend on interfaces of numba.core that are not stable, so this module refuses a numba outside the supported range.
The modules that use them: points, memory, atomics and site (types and code generation), pipeline and jit (compiling), cache (numba's
errors); in stress/, explore/tasks.py and explore/compiling.py (types and errors), process/build.py (compile events).
"""

import os

import numba
from numba.core import config

NUMBA_MIN, NUMBA_END = (0, 68), (0, 69)
FLAVOURS = ("fast", "checked", "bounds", "explored")


class UnsupportedHost(RuntimeError):
    """This host (architecture, numba version) cannot run the kernels."""


class UnknownFlavour(ValueError):
    """PFNSTORM_FLAVOUR names none of FLAVOURS."""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


if not NUMBA_MIN <= _version(numba.__version__) < NUMBA_END:
    raise UnsupportedHost(
        f"numba {numba.__version__} is outside the supported range "
        f"{'.'.join(map(str, NUMBA_MIN))} <= version < {'.'.join(map(str, NUMBA_END))}; run `make install`"
    )

FLAVOUR = os.environ.get("PFNSTORM_FLAVOUR", "fast")
if FLAVOUR not in FLAVOURS:
    raise UnknownFlavour(f"PFNSTORM_FLAVOUR={FLAVOUR!r} is not one of {', '.join(FLAVOURS)}")
INTERPRETED = bool(config.DISABLE_JIT)
CHECKED = FLAVOUR != "fast"
BOUNDS = FLAVOUR == "bounds"
EXPLORED = FLAVOUR == "explored"
CHAOS = CHECKED and not EXPLORED  # the scheduler itself widens windows
if EXPLORED:  # the scheduler's loops have two or three turns
    config.LOOP_VECTORIZE = config.SLP_VECTORIZE = 0


def describe() -> str:
    """The flavour as reports name it: "fast", or "checked interpreted"."""
    return FLAVOUR + (" interpreted" if INTERPRETED else "")
