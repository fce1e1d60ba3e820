"""The entry of the program, before any command is known."""

from __future__ import annotations

import pytest

from hedgerow.cli import main


def test_an_interrupt_while_loading_is_told_and_not_traced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the first moment, while the imports run."""

    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("hedgerow.cli.app.run", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130
    assert capsys.readouterr().err == "hedgerow: interrupted\n"
