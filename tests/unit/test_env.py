"""The typed readers of environment variables."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from buildlogs.env import MIN_SECRET_KEY_CHARACTERS, Environment
from tests.environment import clean_environment

ROOT = Path(__file__).resolve().parents[2]
LONG_KEY = "k" * 50


def only_problem(environment: Environment) -> str:
    [problem] = environment.problems
    return problem


def test_text_is_the_value_or_the_default():
    environment = Environment({"NAME": "value"})
    assert environment.text("NAME", "default") == "value"
    assert environment.text("OTHER", "default") == "default"


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("1", True),
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("", False),
    ],
)
def test_a_flag_understands_the_usual_words(value, meaning):
    assert Environment({"FLAG": value}).flag("FLAG", default=not meaning) is meaning


@pytest.mark.parametrize("default", [True, False])
def test_a_flag_that_is_not_set_is_its_default(default):
    assert Environment({}).flag("FLAG", default=default) is default


def test_a_flag_that_is_neither_yes_nor_no_is_refused_by_name():
    environment = Environment({"FLAG": "maybe"})
    assert environment.flag("FLAG", default=True) is True
    assert only_problem(environment) == "FLAG: 'maybe' is neither 1 (yes) nor 0 (no)"


def test_a_number_within_its_bounds_is_taken():
    environment = Environment({"LEAST": "1", "MOST": "9"})
    assert [environment.number(name, 5, least=1, most=9) for name in ("LEAST", "MOST", "UNSET")] == [1, 9, 5]
    assert environment.problems == []


@pytest.mark.parametrize("value", ["0", "10", "-3", "five", "1.5", "", "1e3"])
def test_a_number_out_of_bounds_or_none_at_all_is_refused_by_name(value):
    environment = Environment({"COUNT": value})
    assert environment.number("COUNT", 5, least=1, most=9) == 5
    assert only_problem(environment).startswith("COUNT: ")


def test_a_choice_is_one_of_the_words():
    environment = Environment({"MODE": "fast"})
    assert environment.choice("MODE", "slow", ["slow", "fast"]) == "fast"
    assert environment.choice("UNSET", "slow", ["slow", "fast"]) == "slow"
    assert environment.choice("MODE", "slow", ["slow", "safe"]) == "slow"
    assert only_problem(environment) == "MODE: 'fast' is none of slow, safe"


def test_words_are_separated_by_commas_and_blanks_do_not_count():
    environment = Environment({"HOSTS": " a.example , b.example,, ", "NONE": ""})
    assert environment.words("HOSTS", ["localhost"]) == ["a.example", "b.example"]
    assert environment.words("NONE", ["localhost"]) == []
    assert environment.words("UNSET", ["localhost"]) == ["localhost"]


def test_origins_lose_their_last_slash():
    environment = Environment({"ORIGINS": "https://logs.example.org/,http://10.0.0.1:8000"})
    assert environment.origins("ORIGINS") == ["https://logs.example.org", "http://10.0.0.1:8000"]


@pytest.mark.parametrize(
    "value", ["logs.example.org", "ftp://logs.example.org", "https://", "https://[x", "https://a.example/path"]
)
def test_what_is_not_an_origin_is_refused_by_name(value):
    environment = Environment({"ORIGINS": f"https://fine.example,{value}"})
    assert environment.origins("ORIGINS") == []
    assert only_problem(environment).startswith(f"ORIGINS: {value!r}")


def test_one_origin_loses_its_last_slash_too():
    environment = Environment({"SITE": "https://logs.example.org:8443/"})
    assert environment.origin("SITE") == "https://logs.example.org:8443"
    assert environment.origin("UNSET") is None


@pytest.mark.parametrize(
    "value", ["logs.example.org", "ftp://a.example", "https://u:secret@a.example", "https://a.example/p", "http://a:b"]
)
def test_what_is_not_one_origin_is_refused_by_name_and_not_repeated(value):
    environment = Environment({"SITE": value})
    assert environment.origin("SITE") is None
    assert only_problem(environment).startswith("SITE: ")
    assert "secret" not in only_problem(environment)


@pytest.mark.parametrize("value", ["a b", "/x", "logs.example.org:8000", "https://logs.example.org", "-"])
def test_what_is_not_a_host_is_refused_by_name(value):
    environment = Environment({"HOSTS": f"fine.example,{value}"})
    assert environment.hosts("HOSTS", ["localhost"]) == ["localhost"]
    assert only_problem(environment).startswith(f"HOSTS: {value!r}")


def test_hosts_are_names_addresses_and_patterns():
    hosts = ["logs.example.org", ".example.org", "10.0.0.1", "[::1]", "*", "a_b"]
    environment = Environment({"HOSTS": ",".join(hosts)})
    assert environment.hosts("HOSTS", []) == hosts
    assert environment.problems == []


def test_a_redis_port_that_is_none_is_refused_by_name():
    environment = Environment({"REDIS_URL": "redis://h:99999/0"})
    assert environment.redis("REDIS_URL") is None
    assert only_problem(environment).startswith("REDIS_URL: ")


def test_networks_may_be_single_addresses():
    environment = Environment({"PROXIES": "127.0.0.1, 10.0.0.0/8,::1"})
    assert [str(network) for network in environment.networks("PROXIES")] == ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]
    assert environment.problems == []


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_not_a_network_is_refused_by_name(value):
    environment = Environment({"PROXIES": f"127.0.0.1,{value}"})
    assert environment.networks("PROXIES") == []
    assert only_problem(environment).startswith(f"PROXIES: {value!r}")


def test_a_directory_is_made_where_it_is_missing(tmp_path):
    wanted = tmp_path / "a" / "b"
    assert Environment({"PLACE": str(wanted)}).directory("PLACE", tmp_path / "unused") == wanted
    assert wanted.is_dir()
    assert not (tmp_path / "unused").exists()


def test_a_directory_that_is_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    environment = Environment({"PLACE": str(tmp_path / "file"), "BELOW": str(tmp_path / "file" / "below"), "EMPTY": ""})
    for name in ("PLACE", "BELOW", "EMPTY"):
        assert environment.directory(name, tmp_path) == tmp_path
    assert [problem.split(":")[0] for problem in environment.problems] == ["PLACE", "BELOW", "EMPTY"]


def test_a_directory_that_cannot_be_written_to_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    environment = Environment({"PLACE": str(tmp_path)})
    environment.directory("PLACE", tmp_path)
    assert only_problem(environment) == f"PLACE: {tmp_path} cannot be written to"


def test_a_database_is_sqlite_or_postgresql():
    environment = Environment({"DATABASE_URL": "postgres://ada:secret@db.example:5433/logs"})
    postgres = environment.database("DATABASE_URL", "sqlite:////unused")
    assert postgres["ENGINE"] == "django.db.backends.postgresql"
    assert (postgres["HOST"], postgres["PORT"], postgres["NAME"]) == ("db.example", 5433, "logs")
    assert environment.database("UNSET", "sqlite:////tmp/x.sqlite3")["NAME"] == "/tmp/x.sqlite3"


@pytest.mark.parametrize("value", ["mysql://u:hush@h/n", "just text", "", "postgres://u:hush@h:port/n"])
def test_another_database_is_refused_by_name_and_its_password_is_not_shown(value):
    environment = Environment({"DATABASE_URL": value})
    environment.database("DATABASE_URL", "sqlite:////unused")
    assert only_problem(environment).startswith("DATABASE_URL: ")
    assert "hush" not in only_problem(environment)


@pytest.mark.parametrize("value", ["redis://127.0.0.1:6379/0", "rediss://r.example", "unix:///run/redis.sock"])
def test_a_redis_address_is_taken_as_it_is(value):
    assert Environment({"REDIS_URL": value}).redis("REDIS_URL") == value


def test_redis_is_not_used_where_nothing_names_it():
    assert Environment({}).redis("REDIS_URL") is None
    assert Environment({"REDIS_URL": ""}).redis("REDIS_URL") is None


@pytest.mark.parametrize("value", ["127.0.0.1:6379", "http://r.example", "redis://", "redis://["])
def test_what_is_not_a_redis_address_is_refused_by_name(value):
    environment = Environment({"REDIS_URL": value})
    assert environment.redis("REDIS_URL") is None
    assert only_problem(environment) == "REDIS_URL: must look like redis://host:6379/0"


def test_a_secret_key_that_is_too_short_is_refused_by_name_unless_debugging(tmp_path):
    environment = Environment({"KEY": "short"})
    assert environment.secret_key("KEY", tmp_path, debug=True) == "short"
    assert environment.problems == []
    environment.secret_key("KEY", tmp_path, debug=False)
    assert only_problem(environment) == "KEY: is shorter than 50 characters"
    assert Environment({"KEY": LONG_KEY}).secret_key("KEY", tmp_path, debug=False) == LONG_KEY
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_was_killed_while_making_the_key_does_not_hinder_the_next_of_the_same_number(tmp_path):
    (tmp_path / f"secret_key.{os.getpid()}.new").touch()  # in a container each start has the same one
    assert len(Environment({}).secret_key("KEY", tmp_path, debug=False)) >= MIN_SECRET_KEY_CHARACTERS


def test_a_secret_key_is_made_once_and_kept_for_its_owner_alone(tmp_path):
    made = Environment({}).secret_key("KEY", tmp_path, debug=False)
    assert len(made) >= 50
    assert Environment({}).secret_key("KEY", tmp_path, debug=False) == made
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_no_secret_key_is_made_where_the_start_will_be_refused(tmp_path):
    (tmp_path / "file").write_text("")
    environment = Environment({"PLACE": str(tmp_path / "file")})
    instead = environment.directory("PLACE", tmp_path / "default")
    environment.secret_key("KEY", instead, debug=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_data_directories_have_two_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    keys = {Environment({}).secret_key("KEY", tmp_path / name, debug=False) for name in "ab"}
    assert len(keys) == 2


def test_processes_that_start_at_once_agree_on_one_key(tmp_path):
    together = 8
    program = (
        "import sys; from pathlib import Path; from buildlogs.env import Environment; sys.stdin.readline();"
        "print(Environment({}).secret_key('KEY', Path(sys.argv[1]), debug=False))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(together)
    ]
    barrier = Barrier(together)

    def let_go(process):
        barrier.wait()
        return process.communicate("\n")[0].strip()

    with ThreadPoolExecutor(together) as threads:
        keys = list(threads.map(let_go, processes))
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 50
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_every_problem_is_kept_and_ends_the_start(capsys):
    environment = Environment({"A": "maybe", "B": "ten"})
    environment.flag("A", default=False)
    environment.number("B", 1, least=1, most=9)
    with pytest.raises(SystemExit) as ended:
        environment.refuse_wrong()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "buildlogs: A: 'maybe' is neither 1 (yes) nor 0 (no)",
        "buildlogs: B: 'ten' is not a whole number",
    ]


def test_an_environment_without_problems_starts():
    Environment({}).refuse_wrong()


WRONG_VALUES = {
    "BUILDLOGS_DEBUG": "perhaps",
    "BUILDLOGS_SECRET_KEY": "too-short-to-be-a-key",
    "BUILDLOGS_TRUSTED_ORIGINS": "logs.example.org",
    "BUILDLOGS_HTTPS": "https",
    "REDIS_URL": "localhost",
    "BUILDLOGS_FSYNC": "sometimes",
    "BUILDLOGS_MAX_LOG_BYTES": "-1",
    "BUILDLOGS_MAX_TAIL_BYTES": "1 MiB",
    "DATABASE_URL": "mysql://u:hush@h/n",
    "BUILDLOGS_LOG_LEVEL": "LOUD",
}


def check(tmp_path: Path, wrong: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=clean_environment(BUILDLOGS_DATA_DIR=str(tmp_path / "data"), **wrong),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.bad_input("an environment variable that cannot be used")
def test_a_command_with_wrong_variables_ends_with_2_and_a_line_for_each(tmp_path):
    ended = check(tmp_path, WRONG_VALUES)
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["buildlogs", name] for name in WRONG_VALUES]
    assert "hush" not in ended.stderr
    assert WRONG_VALUES["BUILDLOGS_SECRET_KEY"] not in ended.stderr


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_each_wrong_variable_alone_stops_the_start(tmp_path, name):
    ended = check(tmp_path, {name: WRONG_VALUES[name]})
    assert ended.returncode == 2
    assert [line.split(": ")[1] for line in ended.stderr.splitlines()] == [name]


def test_a_data_directory_that_is_a_file_stops_the_start(tmp_path):
    (tmp_path / "data").write_text("")
    ended = check(tmp_path, {})
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0].startswith("buildlogs: BUILDLOGS_DATA_DIR: cannot make")


@pytest.mark.parametrize(
    "issuer", ["https://login.example.org", "https://login.example.org/realms/x/", "http://127.0.0.1:8080"]
)
def test_an_issuer_is_taken_without_the_slash_at_its_end(issuer):
    environment = Environment({"ISSUER": issuer})
    assert environment.issuer("ISSUER") == issuer.rstrip("/")
    assert environment.problems == []


@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        ("login.example.org", "must look like"),
        ("https://", "must look like"),
        ("https://user:password@login.example.org", "must look like"),
        ("https://login.example.org/?realm=x", "must look like"),
        ("http://login.example.org", "must be https"),
        ("https://[", "must look like"),
    ],
)
def test_an_issuer_that_could_not_be_trusted_is_refused_without_repeating_it(issuer, why):
    environment = Environment({"ISSUER": issuer})
    assert environment.issuer("ISSUER") is None
    assert only_problem(environment).startswith(f"ISSUER: {why}")
    assert "password" not in only_problem(environment)


def test_variables_that_belong_together_are_all_set_or_none():
    assert Environment({}).together(["A", "B"]) is False
    assert Environment({"A": "1", "B": "2"}).together(["A", "B"]) is True
    environment = Environment({"B": "2", "C": "3"})
    assert environment.together(["A", "B", "C"]) is False
    assert only_problem(environment) == "A: is missing beside B and C: set all of them or none"


@pytest.mark.parametrize("value", ["/internal-logs/", "/x/"])
def test_a_location_is_a_path_of_one_name(value):
    assert Environment({"PLACE": value}).location("PLACE") == value


def test_a_location_that_is_not_set_is_empty():
    assert Environment({}).location("PLACE") == Environment({"PLACE": ""}).location("PLACE") == ""


@pytest.mark.parametrize(
    "value", ["logs", "/logs", "logs/", "/", "//", "/a/b/", "/../", "/a b/", "/a\r\nb/", "/api/", "/ws/"]
)
def test_a_location_that_is_none_or_the_sites_own_is_refused_by_name(value):
    environment = Environment({"PLACE": value})
    assert environment.location("PLACE") == ""
    assert only_problem(environment).startswith("PLACE: ")
