"""Creates the ids of a supervisor's runs, by which a run finds the leftovers of an earlier one.

Imports very little: the zygote is started with the id of its run before anything else.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def runs_of(state_dir: Path) -> str:
    """Return the beginning of all run ids of a state directory, up to the hyphen."""
    return hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:16]


def new_run_id(state_dir: Path) -> str:
    """Return the id of a new run of the supervisor of a state directory."""
    return f"{runs_of(state_dir)}-{os.urandom(8).hex()}"
