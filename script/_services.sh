# Sourced by script/test where CI=true: installs (Debian, as root) and starts what the tests need besides Python.
# Needs fail() and $PROGRAM. What answers already, or is named by BUILDLOGS_TEST_*, is left as it is.

answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

wait_for() {
    local tries
    for tries in {1..100}; do
        answers "$1" && return
        sleep 0.1
    done
    fail "$2 does not answer on port $1"
}

# packages NAME…: installs Debian packages; the lists are fetched once.
packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "needs $*: install it (CI=true installs with apt-get as root only)"
    echo "$PROGRAM: installing $*"
    [ -n "${lists_are_fresh:-}" ] || apt-get update -qq >/dev/null || fail "apt-get update failed"
    lists_are_fresh=1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null </dev/null ||
        fail "apt-get install $* failed"
}

start_postgres() {
    local version
    version=$(ls /etc/postgresql 2>/dev/null | tail -n 1)
    if [ -z "$version" ]; then
        packages postgresql
        version=$(ls /etc/postgresql | tail -n 1)
    fi
    answers 5432 || pg_ctlcluster --skip-systemctl-redirect "$version" main start
    wait_for 5432 PostgreSQL
}

# Where PostgreSQL wants a password (Debian's default), a role of the tests' own is made.
admit_to_postgres() {
    psql -w -h 127.0.0.1 -U postgres -d postgres -c 'select 1' >/dev/null 2>&1 && return
    local password
    password=$(head -c 18 /dev/urandom | base64 | tr -d '+/=')
    PGOPTIONS='-c client_min_messages=warning' runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 -d postgres >/dev/null <<EOF_SQL || fail "cannot make a role in PostgreSQL"
DROP ROLE IF EXISTS buildlogs_test;
CREATE ROLE buildlogs_test LOGIN CREATEDB PASSWORD '$password';
EOF_SQL
    export BUILDLOGS_TEST_DATABASE_URL="postgres://buildlogs_test:$password@127.0.0.1:5432/postgres"
}

start_redis() {
    command -v redis-server >/dev/null || packages redis-server
    answers 6379 && return
    redis-server --daemonize yes --bind 127.0.0.1 -::1 --port 6379 --save "" --appendonly no --dir /tmp >/dev/null
    wait_for 6379 Redis
}

# Lighthouse, of the very version and dependencies that package-lock.json names; nothing where they are here already.
install_lighthouse() {
    local here="$ROOT/tests/lighthouse" said
    [ "$here/node_modules/.package-lock.json" -nt "$here/package-lock.json" ] && return
    command -v npm >/dev/null || packages npm
    echo "$PROGRAM: installing Lighthouse into tests/lighthouse"
    said=$(npm ci --prefix "$here" --ignore-scripts --no-audit --no-fund --loglevel error 2>&1 </dev/null) ||
        printf '%s\n' "$PROGRAM: npm ci in tests/lighthouse failed, and so will the tests that need it:" "$said" | head -n 6
}

start_services() {
    if [ -z "${BUILDLOGS_TEST_DATABASE_URL:-}" ]; then
        answers 5432 || start_postgres
        admit_to_postgres
    fi
    if [ -z "${BUILDLOGS_TEST_REDIS_URL:-}" ]; then
        answers 6379 || start_redis
    fi
    [ -n "${BUILDLOGS_TEST_CHROMIUM:-}" ] || command -v chromium >/dev/null || packages chromium
    command -v node >/dev/null || packages nodejs
    command -v zstd >/dev/null || packages zstd
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || packages nginx-light
    install_lighthouse
}
