"""Prints lines of 100 bytes at a fixed rate, each with the time of its printing: `T<Unix time> <number> xxx…`.

tick.py LINES_A_SECOND SECONDS [FIFO]: with FIFO it waits until somebody opens that for writing.
"""

import os
import sys
import time
from pathlib import Path

LINE_BYTES = 100


def main() -> None:
    rate, seconds = float(sys.argv[1]), float(sys.argv[2])
    if len(sys.argv) > 3:
        Path(sys.argv[3]).read_bytes()
    started = time.time()
    for number in range(round(rate * seconds)):
        wait = started + number / rate - time.time()
        if wait > 0:
            time.sleep(wait)
        line = f"T{time.time():.6f} {number:09d} ".ljust(LINE_BYTES - 1, "x") + "\n"
        os.write(1, line.encode())


if __name__ == "__main__":
    main()
