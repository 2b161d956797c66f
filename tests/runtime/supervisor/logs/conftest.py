from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.logs.store import LogStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    store = LogStore(tmp_path / "logs", LoggingConfig())
    yield store
    store.close()
