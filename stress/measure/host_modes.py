"""The fast mode of this host by calibration, remembered between processes: so that one that meets only the slow mode can tell.

The file is beside the compiled kernels. It keeps the last figures of each calibration, by processor and by the calibration's source, so
that a host that has changed is believed after some runs. The second smallest counts: the smallest may be an accident.
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from kernels.base.cache import cache_root
from stress.errors import UserError
from stress.io.json_report import write_json
from stress.io.reading import read_json
from stress.machine.host import describe_host

KEPT = 40
_Ns = Annotated[float, Field(gt=0, le=1e12)]
_SCHEMA: TypeAdapter[dict[str, list[_Ns]]] = TypeAdapter(dict[str, list[_Ns]])
_CALIBRATION = Path(__file__).with_name("calibration.py")


def _file() -> Path:
    return cache_root() / "host-modes.json"


def key_of(calibration: str, workers: int) -> str:
    """The name under which a calibration by so many workers is kept: its source, the processor and numba are part of it."""
    host = describe_host()
    facts = f"{host.get('cpu')} {host.get('numba')}".encode() + _CALIBRATION.read_bytes()
    return f"{calibration} {workers} {hashlib.sha256(facts).hexdigest()[:12]}"


def read_known() -> dict[str, list[float]]:
    """All that is remembered; nothing if the file is absent or damaged: it is a cache."""
    try:
        return _SCHEMA.validate_python(read_json(_file(), "remembered modes of the host"))
    except (UserError, ValidationError):
        return {}


def known_fast_ns(known: dict[str, list[float]], key: str) -> float | None:
    """The fast mode that this host has shown before; None after fewer than two processes."""
    figures = sorted(known.get(key, []))
    return figures[1] if len(figures) > 1 else None


def remember(figures: dict[str, float]) -> None:
    """Add one figure of each calibration. A cache that cannot be written is left alone."""
    known = read_known()
    for key, ns in figures.items():
        known[key] = [*known.get(key, []), ns][-KEPT:]
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_json(_file(), known)
