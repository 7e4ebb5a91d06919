"""The `buildlogs` command for build machines.

It runs commands, passes their output through, and sends a copy to a buildlogs server. What it must not do: change a
command's exit code, speed or output because of the server. Therefore a byte takes one way, and each room waits only
for the one that cannot be away: `process` reads the pipes, `recorder` orders lines and counts, `spool` keeps the
bytes on disk; on the other side of the disk `upload` reads the spool and sends through `api`, in a thread of its own.
"""

__version__ = "0.1.0"
