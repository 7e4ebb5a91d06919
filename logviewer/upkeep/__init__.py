"""Looking after logs that are there already: sealing, moving, checking, deleting, taking them in and out as files.

Everything here may be stopped at any point and begun again. This room writes output only through intake, and the files
of a log only through the chunk store; it must not know HTTP, and never waits on the event loop.
"""
