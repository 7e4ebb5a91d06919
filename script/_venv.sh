# Sourced by script/demo and script/test: finds a Python and keeps .venv filled. Needs $PROGRAM and $ROOT.

VENV="$ROOT/.venv"
OLDEST_MINOR=11  # the oldest Python 3 that buildlogs runs on

fail() {
    printf '%s: %s\n' "$PROGRAM" "$1" >&2
    exit 1
}

is_new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < (3, $OLDEST_MINOR))" >/dev/null 2>&1
}

# Prints the Python to make .venv with: $PYTHON where it is set, else the newest on PATH that really starts
# (pyenv leaves commands on PATH that do not).
find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is not a command"
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.$OLDEST_MINOR or newer"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "needs Python 3.$OLDEST_MINOR or newer: install it, or name one with PYTHON=/path/to/python3"
}

# Runs a command so that a signal ends it and this script at once (bash would wait for it first), and so that it does
# not outlive a script that is killed with -9.
interruptible() {
    local child code leash=()
    command -v setpriv >/dev/null && leash=(setpriv --pdeathsig KILL)
    "${leash[@]}" "$@" &
    child=$!
    trap 'kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; exit 0' INT TERM
    wait "$child"
    code=$?
    trap - INT TERM
    return "$code"
}

make_venv() {
    local python
    python=$(find_python) || exit 1
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module: on Debian, apt-get install $(basename "$python")-venv"
    echo "$PROGRAM: making .venv with $("$python" -V)"
    interruptible "$python" -m venv "$VENV" >"$VENV.log" 2>&1 ||
        fail "$python -m venv failed: $(tail -n 1 "$VENV.log")"
    rm -f "$VENV.log"
}

# Prints what .venv must have been filled with: a hash over the requirements, the agent's, and .venv's own Python.
wanted_stamp() {
    "$VENV/bin/python" - "$ROOT" "$@" <<'EOF_PYTHON'
import hashlib, pathlib, sys

root, *files = sys.argv[1:]
seen = hashlib.sha256(f"{sys.version} {sys.prefix}".encode())
for name in ["requirements.txt", *files, "agent/pyproject.toml"]:
    seen.update(pathlib.Path(root, name).read_bytes())
print(seen.hexdigest())
EOF_PYTHON
}

# ensure_venv STAMP FILE…: makes .venv and installs the requirements in FILEs and ./agent, unless the stamp says that
# exactly these are there already.
ensure_venv() {
    local stamp="$VENV/.buildlogs-$1" log="$VENV/buildlogs-pip.log" wanted options=() file
    shift
    if [ -x "$VENV/bin/python" ]; then
        is_new_enough "$VENV/bin/python" ||
            fail "$VENV holds no working Python 3.$OLDEST_MINOR or newer: remove it and start again"
        wanted=$(wanted_stamp "$@") || fail "cannot read $*"
        [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
    fi
    # A .venv whose making was interrupted has a Python but no pip.
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || make_venv
    for file in "$@"; do options+=(-r "$ROOT/$file"); done
    echo "$PROGRAM: installing $* and the agent into .venv"
    interruptible "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "${options[@]}" \
        -e "$ROOT/agent" >"$log" 2>&1 ||
        fail "pip failed: $(grep -m 1 ERROR "$log" || tail -n 1 "$log") (all of it in $log)"
    wanted_stamp "$@" >"$stamp"
}
