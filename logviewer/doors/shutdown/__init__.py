"""The end of a server process, within SHUTDOWN_SECONDS of its SIGTERM, on Daphne and uvicorn.

Nobody is cut off who can be told: sockets close with 1001, requests under way are answered, what is new is refused with
503 or 1001, and what threads hold is written. `Shutdown` knows no server; `daphne.py` and `uvicorn.py` say where each
of them takes its signal, and how it is made to wait. This package holds no logic of the application.
"""

from logviewer.doors.shutdown.process import SHUTDOWN_SECONDS, GoingAway, Shutdown, shutdown

__all__ = ["SHUTDOWN_SECONDS", "GoingAway", "Shutdown", "end_well", "shutdown"]


def end_well(ending: Shutdown) -> None:
    """Have this process's server end by `ending`, where it is Daphne; uvicorn is found at its lifespan's start.

    Raises:
        UnknownDaphneError: Daphne is loaded, but ends in another way than is known.
    """
    import sys

    if "daphne.server" in sys.modules:
        from logviewer.doors.shutdown.daphne import hold

        hold(ending)
