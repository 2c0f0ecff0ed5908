"""A temporary folder that is removed when the process that made it ends, however that ends.

A context manager alone cannot do that after kill -9, and a later sweep has to guess which folders are still in use. So a keeper
process waits until its connection to the owner is closed.
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

_NAP_S, _NAPS = 0.1, 100  # children of a killed owner may still be writing


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new folder that is removed afterwards. Children that outlive the caller must not inherit descriptors (subprocess: they do not)."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    ours, theirs = socket.socketpair()
    keeper = fork_child(lambda: _keep(folder, ours, theirs), "the keeper of a scratch folder", outlives_parent=True)
    theirs.close()
    ours.recv(1)  # from here on the keeper is outside of this process group and its signals
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
