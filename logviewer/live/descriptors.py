"""How many files and sockets the process may have open: as many as its hard limit lets it.

The soft limit is 1024 nearly everywhere, for programs that use select(); this one does not, and serves more viewers and
open logs than that.
"""

from __future__ import annotations

import logging
import resource

logger = logging.getLogger(__name__)

ENOUGH_DESCRIPTORS = 65_536
"""More are of no use: kernels with a limit of a billion take time for tables of that size."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as the hard one lets it, and say what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return ENOUGH_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        logger.warning("the limit of %d open files stays: %s", soft, error)
        return soft
    return wanted
