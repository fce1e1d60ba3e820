"""What every test runs under: asserts on, and the same examples on each run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

assert __debug__, "asserts are part of the product: run the tests without -O"

# No deadline, since a busy machine is not a defect. Derandomized, so that a failure can be repeated by anyone;
# `hedgerow torture` is where new worlds are looked for.
settings.register_profile("hedgerow", deadline=None, derandomize=True)
settings.load_profile("hedgerow")


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What programs of this user keep is kept where it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("home")))
        yield
