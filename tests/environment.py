"""The environment of processes that tests start as a person would."""

import os

OWN_NAMES = frozenset({"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"})


def clean_environment(**variables: str) -> dict[str, str]:
    """What a person's shell has: nothing of the server's own, which the tests' settings have set here; and these."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in OWN_NAMES and not name.startswith("BUILDLOGS_")
    }
    return {**inherited, **variables}
