# The one entry on Windows: the same steps as ./hr, which says what they are for.
#   ./hr.ps1 test | check | bench | COMMAND ...
# Needs Python 3.11 or newer; uses uv when it is there. Offline: $env:HEDGEROW_WHEELS = "FOLDER"
$ErrorActionPreference = "Stop"
$PSNativeCommandUseErrorActionPreference = $false
Remove-Item Env:PYTHONOPTIMIZE, Env:PYTHONHOME, Env:PYTHONPATH -ErrorAction SilentlyContinue

$root = $PSScriptRoot
$venv = Join-Path $root ".venv"
$python = Join-Path $venv "Scripts\python.exe"
$locks = Join-Path $root "requirements"
$command = if ($args.Count) { $args[0] } else { "" }
$rest = @($args | Select-Object -Skip 1)
$needsDev = $command -in "test", "check", "bench"

function Note($text) { [Console]::Error.WriteLine("hedgerow: $text") }
function Fail($text) { Note $text; exit 69 }

function Checksum($file) { (Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash }
function BaseStamp { "$root $(Checksum "$locks\base.txt") $(Checksum "$root\pyproject.toml")" }
function DevStamp { Checksum "$locks\dev.txt" }
function Stamped($name, $wanted) {
    $file = Join-Path $venv "$name.stamp"
    (Test-Path -LiteralPath $file) -and ((Get-Content -Raw -LiteralPath $file).Trim() -eq $wanted)
}
function Ready {
    (Test-Path -LiteralPath $python) -and (Stamped "base" (BaseStamp)) -and (-not $needsDev -or (Stamped "dev" (DevStamp)))
}

function FindPython {
    $launcher = "3.14", "3.13", "3.12", "3.11" | ForEach-Object { , @("py", "-$_") }
    foreach ($candidate in @(, @($env:PYTHON)) + $launcher + @(, @("python3")) + @(, @("python"))) {
        if (-not $candidate[0] -or -not (Get-Command $candidate[0] -ErrorAction SilentlyContinue)) { continue }
        $before = @($candidate | Select-Object -Skip 1)
        $found = & $candidate[0] @before -c "import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys._base_executable)" 2>$null
        if ($LASTEXITCODE -eq 0) { return $found }
    }
}

function Install {
    $offline = if ($env:HEDGEROW_WHEELS) { "--no-index", "--find-links", $env:HEDGEROW_WHEELS } else { @() }
    if ($script:uv) { & uv pip install --quiet --python $python @args @offline }
    else { & $python -m pip install --quiet --disable-pip-version-check --no-input @args @offline }
    if ($LASTEXITCODE -ne 0) { Fail "the set-up failed. Without a network: put the wheels into a folder, then `$env:HEDGEROW_WHEELS = 'FOLDER'" }
}

function SetUp {
    $base = FindPython
    if (-not $base) { Fail "Python 3.11 or newer was not found; install it, or name it: `$env:PYTHON = 'C:\path\python.exe'" }
    $script:uv = [bool](Get-Command uv -ErrorAction SilentlyContinue)
    Note "creating .venv with $(& $base -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}")')"
    if (Test-Path -LiteralPath $venv) { Remove-Item -Recurse -Force -LiteralPath $venv }
    if ($script:uv) { & uv venv --quiet --python $base $venv } else { & $base -m venv $venv }
    if ($LASTEXITCODE -ne 0) { Fail "$base could not make .venv" }
    Note "installing pinned packages (once)"
    Install --require-hashes --no-deps --only-binary :all: -r "$locks\base.txt"
    Install --no-deps --no-build-isolation -e $root
    if ($needsDev) {
        Install --require-hashes --no-deps --only-binary :all: -r "$locks\dev.txt"
        Set-Content -LiteralPath (Join-Path $venv "dev.stamp") (DevStamp)
    }
    Set-Content -LiteralPath (Join-Path $venv "base.stamp") (BaseStamp)
}

if (-not (Ready)) {
    # The file is closed, and so the turn ends, when this process ends, however it ends.
    $turn = $null
    while (-not $turn) {
        try { $turn = [IO.File]::Open((Join-Path $root ".venv.lock"), "OpenOrCreate", "ReadWrite", "None") }
        catch [IO.IOException] { Start-Sleep -Milliseconds 200 }
    }
    if (-not (Ready)) { SetUp }
    $turn.Close()
}

if ($needsDev) { Set-Location -LiteralPath $root }
switch ($command) {
    "test" {
        if ($rest.Count -and $rest[0] -eq "--all") {
            $rest = @($rest | Select-Object -Skip 1)
            & $python -m pytest -q -n 2 -m "slow or not slow" @rest
            $status = $LASTEXITCODE
            & $python -m tests.judges @rest
            if ($LASTEXITCODE -eq 0) { exit $status }
        }
        else {
            if (-not $rest.Count) {
                Note "left out: what is slow, and the judges (ccxt and Binance's own clients); ./hr.ps1 test --all runs everything"
                $rest = "-n", "2"
            }
            & $python -m pytest -q @rest
        }
    }
    "check" {
        & $python -m ruff format --check .
        if ($LASTEXITCODE -eq 0) { & $python -m ruff check . }
        if ($LASTEXITCODE -eq 0) { & $python -m mypy --strict src }
        if ($LASTEXITCODE -eq 0) { & $python -m pytest -q -n 2 }
    }
    "bench" { & $python -m benchmarks @rest }
    default { & (Join-Path $venv "Scripts\hedgerow.exe") @args }
}
exit $LASTEXITCODE
