"""The settings under which the tests run: those of the project, on a data directory that is thrown away.

pytest-django reads the settings before any conftest.py is, so the environment is prepared here. DATABASE_URL is the
caller's to set: the same tests run on PostgreSQL.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_directory = tempfile.mkdtemp(prefix="buildlogs-tests-")
atexit.register(shutil.rmtree, _directory, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("BUILDLOGS_") and not name.startswith("BUILDLOGS_TEST_")]:
    del os.environ[_name]
os.environ["BUILDLOGS_DATA_DIR"] = _directory
os.environ["BUILDLOGS_SECRET_KEY"] = "of no use outside of the tests " * 2
os.environ["BUILDLOGS_FSYNC"] = "never"

from buildlogs.settings import *  # noqa: E402, F403
from buildlogs.settings import DATABASES, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in life: Django's in-memory default knows neither WAL nor several connections that wait for each other.
    DATABASES["default"]["TEST"] = {"NAME": f"{_directory}/test.sqlite3"}

UPKEEP_IN_SERVER = INSIGHT_IN_SERVER = WEBHOOKS_IN_SERVER = LISTENING_TIMES = False  # as below
WRITE_BEHIND = False  # another thread does not see what a test has not committed, and would wait for its lock
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STATIC_ROOT = Path(_directory) / "static"  # WhiteNoise warns where there is none, as in a fresh clone
STATIC_ROOT.mkdir()
