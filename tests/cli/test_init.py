"""`hedgerow init`: what it writes is right as it stands, and nothing of the user's is lost."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from hedgerow.cli.app import run
from hedgerow.cli.init import TEMPLATES, template_text
from hedgerow.runtime.config import load

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_a_right_config(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer's first config must run."""
    path = tmp_path / "my.yaml"

    assert run(["init", str(path), "--template", name]) == 0

    told = capsys.readouterr()
    assert f"hedgerow run {path}" in told.err
    assert load(path).books
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=./hedgerow.schema.json"
    assert f"hedgerow config check {path}" in "\n".join(lines) or f"hedgerow run {path}" in "\n".join(lines)
    assert json.loads((tmp_path / "hedgerow.schema.json").read_text(encoding="utf-8"))["type"] == "object"


def test_a_full_disk_is_told_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another place on the same disk would not help."""

    def full(path: Path, *_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)

    assert run(["init", str(tmp_path / "my.yaml"), "--template", "grid"]) == 74
    assert "HR-305" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a newcomer types next, as it is told: it trades, and stops cleanly."""
    path = tmp_path / "my.yaml"
    assert run(["init", str(path), "--template", name]) == 0

    assert run(["run", str(path), "--seconds", "60", "--speed", "30"]) == 0

    told = capsys.readouterr()
    assert "  fill    " in told.out
    assert "\nstopped   " in told.err


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_example_is_the_template(name: str) -> None:
    """One text, so that neither can go stale."""
    assert (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8") == template_text(name)


def test_a_file_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody's config is replaced without being asked."""
    path = tmp_path / "mine.yaml"
    path.write_text("mine", encoding="utf-8")

    assert run(["init", str(path), "--template", "grid"]) == 2

    assert path.read_text(encoding="utf-8") == "mine"
    assert "HR-406" in capsys.readouterr().err
    assert not (tmp_path / "hedgerow.schema.json").exists()
    assert run(["init", str(path), "--template", "grid", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["template"] == "grid"


def test_without_a_terminal_a_template_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script must not wait for an answer."""
    assert run(["init", str(tmp_path / "x.yaml")]) == 2

    assert "grid, mirror, carry, pair, exits" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and no half file."""
    assert run(["init", str(tmp_path / "no" / "x.yaml"), "--template", "pair"]) == 66

    assert "HR-402" in capsys.readouterr().err
