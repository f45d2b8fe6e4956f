"""What the tests of the whole daemon run on."""

from typing import Any

import pytest
from e2e_store import store_keys


@pytest.fixture(params=["sqlite", "postgresql"])
def store_in(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The keys of ``monitor.yaml`` that say where the store is: each test runs on both."""
    return {} if request.param == "sqlite" else store_keys(request.getfixturevalue("postgresql"))
