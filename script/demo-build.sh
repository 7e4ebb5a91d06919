#!/usr/bin/env bash
# The demo's build: commands that any machine with .venv can run offline, nothing made up. Run by script/demo inside
# `buildlogs build`; each line is a step. One fails, on purpose: a deployment check without HTTPS.
set -u
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
unset DATABASE_URL REDIS_URL  # the steps use a data directory of their own, never the server's
export BUILDLOGS_DATA_DIR="$scratch/data" PYTHONPYCACHEPREFIX="$scratch/bytecode"
results=0

step() {
    local name=$1
    shift
    buildlogs step "$name" -- "$@" || results=1
}

step environment bash -c 'python -VV && python -m pip list --verbose && python -m pip check && uname -a && df -h .'

# Several hundred lines on standard error: what the server imports, and how long each module takes.
step imports python -X importtime -c 'import buildlogs.settings, daphne.server, channels.routing, ninja'

# Colours: Django applies every migration to an empty database, and prints the SQL of the first of ours.
step migrate python manage.py migrate --force-color --verbosity 2
step sql python manage.py sqlmigrate logviewer 0001 --force-color

# Some of Twisted's own tests, which are installed with it: standard output and standard error, processes, timers.
step test-twisted python -m twisted.trial --temp-directory "$scratch/trial" --reporter=verbose \
    twisted.test.test_{amp,internet,log,process,reflect,task,threads}

# The long one, more than 20 seconds: every module of the environment and of the standard library (but its tests, which
# hold faults on purpose), compiled at each of the three levels, once to be checked by time and once by hash.
path() { python -c "import sysconfig; print(sysconfig.get_path('$1'))"; }
step compile bash -c '
    set -e
    for mode in timestamp checked-hash; do
        python -m compileall -f -o 0 -o 1 -o 2 --invalidation-mode "$mode" "$0"
        python -m compileall -f -o 0 -o 1 -o 2 --invalidation-mode "$mode" -x "site-packages|/tests?/" "$1"
    done' "$(path purelib)" "$(path stdlib)"

step deploy-check env BUILDLOGS_HTTPS=0 python manage.py check --deploy --fail-level WARNING --force-color

exit "$results"
