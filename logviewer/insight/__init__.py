"""What is computed from logs: where a text occurs in one, which lines are errors or warnings, what can be folded.

This room reads logs through the chunk store's readers. Of what is searched for it keeps small, bounded memories; errors
and folds it writes into the database, behind intake (`background`). It must not write logs, and knows nothing of HTTP
or the event loop: its functions are called on threads that may wait.
"""

from logviewer.insight.errors import InvalidQuery, SearchCancelled, TooManySearches
from logviewer.insight.hits import MAX_LINE_BYTES, Hit
from logviewer.insight.query import MAX_QUERY_CHARACTERS, Query
from logviewer.insight.search import DEFAULT_LIMIT, MAX_LIMIT, MAX_TOTAL, Found, search_log
from logviewer.insight.threads import RunningSearch, search_threads

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_LIMIT",
    "MAX_LINE_BYTES",
    "MAX_QUERY_CHARACTERS",
    "MAX_TOTAL",
    "Found",
    "Hit",
    "InvalidQuery",
    "Query",
    "RunningSearch",
    "SearchCancelled",
    "TooManySearches",
    "search_log",
    "search_threads",
]
