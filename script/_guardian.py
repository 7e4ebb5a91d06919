"""Ends process groups when whoever started this process is gone, however it went.

Started by `script/demo_server.py` in a session of its own. Reads lines from standard input: `+N` puts process group N
under guard, `-N` lets it go. At the end of input, which the kernel brings about even when the writer is killed with
-9, every group that is still under guard is killed.
"""

import contextlib
import os
import signal
import sys

guarded: set[int] = set()
for line in sys.stdin:
    group = int(line[1:])
    if line.startswith("+"):
        guarded.add(group)
    else:
        guarded.discard(group)
for group in guarded:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
