"""The set-up: `./hr` from any place, on any machine, and locks that name no host.

The quick tests give `./hr` a Python that only writes down what it is asked; the slow ones install for real.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hedgerow

ROOT = Path(__file__).parents[1]
LOCKS = [ROOT / "requirements" / f"{name}.txt" for name in ("base", "dev", "judges")]

# Windows has no file locks of this kind, and hr.ps1 in the place of hr.
fcntl = pytest.importorskip("fcntl")

# It passes for a Python, makes a .venv of itself, and fails to install while a file named `fail` is beside `asked`.
RECORDING_PYTHON = """#!/bin/sh
case "$*" in
    *fcntl*) exec '{python}' "$@" ;;
    *_base_executable*) echo '{folder}/python3' ;;
    *ensurepip*) exit {venv_exit} ;;
    *version_info*) echo python3.11 ;;
    "-m venv "*)
        echo "$*" >>'{folder}/asked'
        /bin/mkdir -p "$3/bin"
        /bin/cp '{folder}/python3' "$3/bin/python"
        : >"$3/bin/pip"
        ;;
    "-m pip "*)
        echo "$*" >>'{folder}/asked'
        [ ! -e '{folder}/fail' ] || {{ echo 'ERROR: No matching distribution found for click'; exit 1; }}
        ;;
    *) echo "ran $*" ;;
esac
"""


class Machine:
    """A checkout in a path with spaces, and a PATH that holds nothing but a recording Python."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "a checkout"
        self.bin = folder / "bin"
        self.elsewhere = folder / "elsewhere"
        for path in (self.checkout / "src", self.bin, self.elsewhere):
            path.mkdir(parents=True)
        for name in ("hr", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.checkout / name)
        shutil.copytree(ROOT / "requirements", self.checkout / "requirements")

    def add_python(self, name: str = "python3", *, venv: bool = True) -> None:
        text = RECORDING_PYTHON.format(python=sys.executable, folder=self.bin, venv_exit=0 if venv else 1)
        self.add_program(name, text)

    def add_program(self, name: str, text: str) -> None:
        program = self.bin / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.bin), **more}

    def hr(self, *args: str, by: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(by or self.checkout / "hr"), *args]
        return subprocess.run(
            command, cwd=self.elsewhere, env=self.environment(**more), capture_output=True, text=True, check=False
        )

    def asked(self) -> list[str]:
        """Return what was asked of the recording Python since the last call, one line each."""
        path = self.bin / "asked"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_line_names_a_host(lock: Path) -> None:
    """A lock that names no host works with any mirror, and one with hashes can be given by nobody else."""
    text = lock.read_text(encoding="utf-8")
    pins = re.split(r"\n(?=\S)", text.strip())

    assert not re.search(r"://|\.(com|io|org)\b|index-url|find-links", text)
    for pin in pins:
        assert re.match(r"[a-z0-9-]+==\S+ ", pin), pin
        assert "--hash=sha256:" in pin, pin


def names(text: str) -> set[str]:
    """Return the package names in a requirements file, lower case with hyphens."""
    found = re.findall(r"^[A-Za-z][\w-]*", text, re.MULTILINE)
    return {name.lower().replace("_", "-") for name in found}


@pytest.mark.parametrize("name", ["base", "dev"])
def test_what_is_wanted_is_pinned(name: str) -> None:
    """A package added to the list but not to the lock would be missing on every other machine."""
    wanted = names((ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8"))

    assert wanted <= names((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"))


def test_a_package_that_both_locks_pin_has_one_version() -> None:
    """Otherwise running the tests would change what the product runs on."""
    texts = [lock.read_text(encoding="utf-8") for lock in LOCKS[:2]]
    base, dev = (dict(re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE)) for text in texts)

    assert {name: dev[name] for name in base.keys() & dev.keys()} == {
        name: base[name] for name in base.keys() & dev.keys()
    }


def test_the_project_file_agrees_with_the_rest() -> None:
    """Version and dependencies stand in two places each, because two programs read them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = names((ROOT / "requirements" / "base.in").read_text(encoding="utf-8"))

    assert project["version"] == hedgerow.__version__
    assert names("\n".join(project["dependencies"])) | {"flit-core"} == wanted


def test_the_first_run_sets_up_and_the_second_only_runs(machine: Machine) -> None:
    """Built once, then at once; notes stay out of what a program reads."""
    machine.add_python()

    first = machine.hr("demo", "--seed", "4 2")

    script = machine.checkout / ".venv" / "bin" / "hedgerow"
    assert (first.returncode, first.stdout) == (0, f"ran {script} demo --seed 4 2\n")
    assert first.stderr.splitlines() == [
        "hedgerow: creating .venv with python3.11",
        "hedgerow: installing pinned packages (once)",
    ]
    venv, base, checkout = machine.asked()
    assert venv == "-m venv .venv"
    assert "--require-hashes --no-deps --only-binary :all: -r requirements/base.txt" in base
    assert "--no-deps --no-build-isolation -e ." in checkout

    second = machine.hr("demo")

    assert (second.returncode, second.stdout, second.stderr) == (0, f"ran {script} demo\n", "")
    assert machine.asked() == []


def test_the_tests_bring_their_own_packages(machine: Machine) -> None:
    """Who only runs the product does not install its test tools."""
    machine.add_python()
    machine.hr("demo")
    machine.asked()

    tests = machine.hr("test")
    chosen = machine.hr("test", "tests/test_setup.py", "-k", "a b")

    assert tests.stdout == "ran -m pytest -q -n 2\n"
    assert chosen.stdout == "ran -m pytest -q tests/test_setup.py -k a b\n"
    (dev,) = machine.asked()
    assert "--require-hashes --no-deps --only-binary :all: -r requirements/dev.txt" in dev


def test_check_and_bench_are_run_from_the_checkout(machine: Machine) -> None:
    """Both name files of the checkout, wherever the caller stands."""
    machine.add_python()

    assert machine.hr("check").stdout.splitlines() == [
        "ran -m ruff format --check .",
        "ran -m ruff check .",
        "ran -m mypy --strict src",
        "ran -m pytest -q -n 2",
    ]
    assert machine.hr("bench", "--json").stdout == "ran -m benchmarks --json\n"


def test_a_changed_lock_is_installed_where_it_stands(machine: Machine) -> None:
    """A running hedgerow may be using .venv, so an update does not pull it away."""
    machine.add_python()
    machine.hr("demo")
    machine.asked()
    with (machine.checkout / "requirements" / "base.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")

    result = machine.hr("demo")

    assert result.stderr == "hedgerow: installing pinned packages (once)\n"
    base, checkout = machine.asked()
    assert "base.txt" in base
    assert "-e ." in checkout


def test_a_set_up_that_was_cut_off_is_made_anew(machine: Machine) -> None:
    """Half an installation must never pass for a whole one."""
    machine.add_python()
    (machine.bin / "fail").touch()
    failed = machine.hr("demo")
    machine.asked()
    (machine.bin / "fail").unlink()

    repaired = machine.hr("demo")

    assert failed.returncode == 69
    assert repaired.returncode == 0
    assert machine.asked()[0] == "-m venv .venv"


def test_failing_test_packages_leave_the_product_usable(machine: Machine) -> None:
    """Without a network the tests cannot be set up, but a demo that ran before still runs."""
    machine.add_python()
    machine.hr("demo")
    machine.asked()
    (machine.bin / "fail").touch()

    tests = machine.hr("test")
    demo = machine.hr("demo")

    assert tests.returncode == 69
    assert (demo.returncode, demo.stderr) == (0, "")
    (machine.bin / "fail").unlink()
    machine.asked()
    assert machine.hr("test").returncode == 0
    (dev,) = machine.asked()
    assert "--ignore-installed" in dev


def test_a_moved_checkout_is_set_up_again(machine: Machine) -> None:
    """A .venv holds its own path, so a moved one would run the old place's code."""
    machine.add_python()
    machine.hr("demo")
    machine.asked()
    machine.checkout = machine.checkout.rename(machine.checkout.with_name("moved"))

    assert machine.hr("demo").returncode == 0
    assert machine.asked()[0] == "-m venv .venv"


def test_the_quick_tests_say_what_they_leave_out(machine: Machine) -> None:
    """Nobody takes them for everything; and `--all` is everything, in both environments."""
    machine.add_python()
    machine.hr("test")

    quick = machine.hr("test")
    chosen = machine.hr("test", "tests/core")
    everything = machine.hr("test", "--all")

    assert quick.stdout == "ran -m pytest -q -n 2\n"
    assert "./hr test --all runs everything" in quick.stderr
    assert (chosen.stdout, chosen.stderr) == ("ran -m pytest -q tests/core\n", "")
    assert everything.stdout == "ran -m pytest -q -n 2 -m slow or not slow\nran -m tests.judges\n"


def test_a_link_leads_to_the_checkout(machine: Machine) -> None:
    """People link ./hr into their own folder of programs."""
    machine.add_python()
    near = machine.elsewhere / "near"
    near.symlink_to(Path("..") / "a checkout" / "hr")
    far = machine.bin / "far"
    far.symlink_to(near)

    result = machine.hr("demo", by=far)

    assert result.stdout == f"ran {machine.checkout}/.venv/bin/hedgerow demo\n"


def test_optimizing_is_turned_off(machine: Machine) -> None:
    """Asserts are what stops a wrong order, so the environment cannot remove them, nor shadow a package."""
    machine.add_python()
    machine.hr("demo")
    machine.add_program("python3", '#!/bin/sh\necho "$PYTHONOPTIMIZE$PYTHONPATH."\n')
    shutil.copy2(machine.bin / "python3", machine.checkout / ".venv" / "bin" / "python")

    assert machine.hr("demo", PYTHONOPTIMIZE="2", PYTHONPATH="elsewhere").stdout == ".\n"


def test_wheels_are_found_from_where_the_caller_stands(machine: Machine) -> None:
    """Offline, only the folder is asked, and it is named as the caller sees it."""
    machine.add_python()
    (machine.elsewhere / "my wheels").mkdir()

    assert machine.hr("demo", HEDGEROW_WHEELS="my wheels").returncode == 0
    for line in machine.asked()[1:]:
        assert line.endswith(f"--no-index --find-links {machine.elsewhere}/my wheels")

    missing = machine.hr("test", HEDGEROW_WHEELS="no wheels")
    assert missing.returncode == 69
    assert missing.stderr == f"hedgerow: HEDGEROW_WHEELS: there is no folder {machine.elsewhere}/no wheels\n"


def test_a_failed_installation_says_why_and_what_to_do(machine: Machine) -> None:
    """Offline is the usual reason, and its remedy is not one that people guess."""
    machine.add_python()
    (machine.bin / "fail").touch()

    result = machine.hr("demo")

    assert result.returncode == 69
    line = result.stderr.splitlines()[-1]
    assert "No matching distribution found for click" in line
    assert "HEDGEROW_WHEELS=wheels ./hr" in line


def test_without_python_one_line_says_so(machine: Machine) -> None:
    """The first thing a newcomer may lack."""
    result = machine.hr("demo")

    assert (result.returncode, result.stdout) == (69, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("hedgerow: Python 3.11 or newer was not found")


def test_without_venv_one_line_names_the_package(machine: Machine) -> None:
    """Debian ships Python without venv."""
    machine.add_python(venv=False)

    result = machine.hr("demo")

    assert (result.returncode, result.stdout) == (69, "")
    (line,) = result.stderr.splitlines()
    assert "apt install python3-venv" in line


def test_a_python_that_only_fails_is_passed_over(machine: Machine) -> None:
    """A pyenv shim exists for versions that are not chosen, and an old Python says no."""
    machine.add_program("python3.14", "#!/bin/sh\necho 'pyenv: python3.14: command not found' >&2\nexit 127\n")
    machine.add_program("old", "#!/bin/sh\nexit 1\n")
    machine.add_python("python3.12", venv=False)
    machine.add_python()

    assert machine.hr("demo", PYTHON="old").returncode == 0


def test_a_read_only_checkout_says_so(machine: Machine) -> None:
    """Mounted from an image, say. Skipped where the user may write everywhere."""
    machine.add_python()
    machine.checkout.chmod(0o555)
    try:
        (machine.checkout / "probe").touch()
    except OSError:
        result = machine.hr("demo")
    else:
        pytest.skip("this user may write everywhere")
    finally:
        machine.checkout.chmod(0o755)

    assert result.returncode == 69
    (line,) = result.stderr.splitlines()
    assert "cannot be written" in line


def test_a_second_set_up_waits_for_the_first(machine: Machine) -> None:
    """Two at once would write into one .venv; the lock ends with its holder, so none is ever left over."""
    machine.add_python()
    command = [str(machine.checkout / "hr"), "demo"]
    with (machine.checkout / ".venv.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            command, env=machine.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stderr is not None
        assert second.stderr.readline() == "hedgerow: waiting for another ./hr to finish its set-up\n"
        assert machine.asked() == []

    _, notes = second.communicate()

    assert second.returncode == 0
    assert notes.startswith("hedgerow: creating .venv")


@pytest.fixture(scope="module")
def real_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product alone, in a path with spaces and without a .venv."""
    checkout = tmp_path_factory.mktemp("real") / "a checkout"
    checkout.mkdir()
    for name in ("hr", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy2(ROOT / name, checkout / name)
    for name in ("requirements", "src"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "tests").mkdir()
    (checkout / "tests" / "test_one.py").write_text("def test_one():\n    import hedgerow\n", encoding="utf-8")
    return checkout


@pytest.mark.slow
def test_a_real_installation_under_an_empty_environment(real_checkout: Path, tmp_path: Path) -> None:
    """No PATH, no home, another directory: the pinned packages and the checkout itself are installed."""
    result = subprocess.run(
        [real_checkout / "hr", "test"], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert "1 passed" in result.stdout.splitlines()[-1]


@pytest.mark.slow
def test_two_real_installations_at_once(real_checkout: Path) -> None:
    """Both end well, and one of them did the work."""
    shutil.rmtree(real_checkout / ".venv", ignore_errors=True)
    both = [
        subprocess.Popen([real_checkout / "hr", "test"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    notes = "".join(process.communicate()[1] for process in both)

    assert [process.returncode for process in both] == [0, 0], notes
    assert notes.count("creating .venv") == 1, notes
