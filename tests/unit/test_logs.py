"""What is done to others' log records."""

from __future__ import annotations

import logging
import sys

from buildlogs.logs import InOneLine


def test_an_exception_is_told_in_one_line() -> None:
    try:
        raise ConnectionError("Error 111\nconnecting")
    except ConnectionError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "in %s", ("a task",), sys.exc_info())
    assert InOneLine().filter(record)
    assert logging.Formatter().format(record) == "in a task: ConnectionError: Error 111 connecting"


def test_other_records_stay_as_they_are() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "all is %s", ("well",), None)
    assert InOneLine().filter(record)
    assert logging.Formatter().format(record) == "all is well"
