"""What can go wrong when something is computed from a log."""


class InsightError(Exception):
    """Any error of this room; catch this one to catch them all."""


class InvalidQuery(InsightError):
    """What is to be searched for is no text and no pattern that can be searched for; the message says why."""


class SearchCancelled(InsightError):
    """Nobody waits for the result any more."""


class TooManySearches(InsightError):
    """As many searches are waiting already as may; try again in a while."""
