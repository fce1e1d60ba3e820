"""The judges' environment is made from its lock alone, and one line says why when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judges import __main__ as judges
from tests.judges import environment


@pytest.mark.slow
def test_what_cannot_be_installed_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Offline without wheels is the usual reason; the exit code is that of a service that is not there."""
    (tmp_path / "wheels").mkdir()
    monkeypatch.setattr(environment, "FOLDER", tmp_path / "judges")
    monkeypatch.setenv("HEDGEROW_WHEELS", str(tmp_path / "wheels"))

    code = judges.main([])

    assert code == judges.EXIT_UNAVAILABLE
    assert "the judges cannot be installed here: ERROR" in capsys.readouterr().err.splitlines()[-1]
