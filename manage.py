#!/usr/bin/env python
"""Django's command line for buildlogs."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "buildlogs.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("buildlogs: Django is not installed here; run script/demo, or pip install -r requirements.txt")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
