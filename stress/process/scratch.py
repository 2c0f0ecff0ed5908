"""A temporary folder that goes with the process that made it, however that ends: a keeper waits for the end of a connection.

A context manager of its own cannot do that after kill -9, and whoever sweeps up old folders later has to guess whose they are.
"""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stress.process.child import fork_child

_NAP_S, _NAPS = 0.1, 100  # the keeper outwaits those who are still writing when their parent was killed


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new folder, and nothing of it afterwards. Children that outlive the caller must not inherit descriptors (subprocess does not)."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    ours, theirs = socket.socketpair()
    keeper = fork_child(lambda: _keep(folder, ours, theirs), "the keeper of a scratch folder", outlives_parent=True)
    theirs.close()
    ours.recv(1)  # from here on it is out of reach of what is sent to our group
    try:
        yield folder
    finally:
        ours.close()
        os.waitpid(keeper, 0)


def _keep(folder: Path, ours: socket.socket, theirs: socket.socket) -> None:
    """Wait until the owner has ended, then remove its folder."""
    ours.close()
    theirs.send(b"!")
    theirs.recv(1)
    for _ in range(_NAPS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(_NAP_S)
