"""Select Graphic Rendition (ECMA-48 8.3.117) over bytes: which colours are in force at a place in a log.

`static/logviewer/js/sgr.js` and `terminal.js` are the same rules for the viewer: what is a sequence, what each number
means, and that unknown ones change nothing. What they call strings (`ESC ]`, titles and links) needs no state here:
an ESC ends them, and nothing without an ESC counts.
"""

import re
from functools import lru_cache
from typing import NamedTuple

MAX_PARAMETERS_BYTES = 256
"""As in terminal.js: what is longer is no sequence."""

MAX_SEQUENCE_BYTES = MAX_PARAMETERS_BYTES + 2
"""The longest beginning of a sequence that may have to be kept from one block to the next."""

ESCAPE = b"\x1b"
SEQUENCE = re.compile(rb"\x1b\[([0-9;:]{0,%d})m" % MAX_PARAMETERS_BYTES)
UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;:]{0,%d})?" % MAX_PARAMETERS_BYTES)
RESETS = (b"\x1b[0m", b"\x1b[m")

DEFAULT_COLOUR = -1
DIRECT_COLOUR = 1 << 24
"""Set in a colour that is 0xRRGGBB; others are numbers of xterm's palette, 0 to 255, or the default."""

BOLD, DIM, ITALIC, UNDERLINE, INVERSE, STRIKE = (1 << bit for bit in range(6))
ATTRIBUTE_NUMBERS = ((BOLD, 1), (DIM, 2), (ITALIC, 3), (UNDERLINE, 4), (INVERSE, 7), (STRIKE, 9))
SETS = {**{number: bit for bit, number in ATTRIBUTE_NUMBERS}, 21: UNDERLINE}
CLEARS = {22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 29: STRIKE}
SETS_UNDERLINE = 4
"""`4:0` is no underline, `4:1` to `4:5` are its styles."""

FOREGROUND, BACKGROUND, UNDERLINE_COLOUR = 38, 48, 58
PALETTE, DIRECT = 5, 2
NO_COLOUR = -2


class Pen(NamedTuple):
    """What text is written with: two colours and the attributes' bits."""

    foreground: int = DEFAULT_COLOUR
    background: int = DEFAULT_COLOUR
    attributes: int = 0

    def parameters(self) -> str:
        """Return the one string for this pen, such as `1;31`: put between `ESC [` and `m` it gives the pen from plain.

        At most 45 characters; empty for the plain pen.
        """
        numbers = [str(number) for bit, number in ATTRIBUTE_NUMBERS if self.attributes & bit]
        for colour, base in ((self.foreground, 30), (self.background, 40)):
            if colour >= DIRECT_COLOUR:
                numbers.append(f"{base + 8};2;{colour >> 16 & 255};{colour >> 8 & 255};{colour & 255}")
            elif colour >= 16:
                numbers.append(f"{base + 8};5;{colour}")
            elif colour >= 8:
                numbers.append(str(base + 60 + colour - 8))
            elif colour >= 0:
                numbers.append(str(base + colour))
        return ";".join(numbers)


PLAIN = Pen()


def pen_after(pen: Pen, text: bytes, stop: int | None = None) -> Pen:
    """Return the pen that `text` leaves behind, up to `stop`; what lies before its last reset is not looked at."""
    stop = len(text) if stop is None else stop
    if text.find(ESCAPE, 0, stop) < 0:
        return pen
    reset = max(text.rfind(sequence, 0, stop) for sequence in RESETS)
    if reset >= 0:
        pen = PLAIN
    for match in SEQUENCE.finditer(text, max(0, reset), stop):
        pen = apply_sgr(pen, match[1])
    return pen


def unfinished_sequence(text: bytes) -> int:
    """Return how many bytes at the end of `text` may be the beginning of a sequence."""
    start = text.rfind(ESCAPE, max(0, len(text) - MAX_SEQUENCE_BYTES))
    return len(text) - start if start >= 0 and UNFINISHED.fullmatch(text, start) else 0


@lru_cache(maxsize=4096)
def apply_sgr(pen: Pen, parameters: bytes) -> Pen:
    """Return the pen after `ESC [ parameters m`, `parameters` being digits, `;` and `:` only."""
    foreground, background, attributes = pen
    fields = parameters.split(b";")
    at = 0
    while at < len(fields):
        parts = fields[at].split(b":")
        code = _number(parts, 0)
        if code == 0:
            foreground, background, attributes = PLAIN
        elif code in (FOREGROUND, BACKGROUND, UNDERLINE_COLOUR):
            colour, taken = (_colon_colour(parts), 0) if len(parts) > 1 else _semicolon_colour(fields, at)
            at += taken
            if colour != NO_COLOUR and code == FOREGROUND:
                foreground = colour
            elif colour != NO_COLOUR and code == BACKGROUND:
                background = colour
        elif code == SETS_UNDERLINE and len(parts) > 1:
            attributes = attributes | UNDERLINE if _number(parts, 1) else attributes & ~UNDERLINE
        elif code in SETS:
            attributes |= SETS[code]
        elif code in CLEARS:
            attributes &= ~CLEARS[code]
        else:
            foreground = _named(code, 30, foreground)
            background = _named(code, 40, background)
        at += 1
    return Pen(foreground, background, attributes)


def _named(code: int, base: int, colour: int) -> int:
    """Return the colour after a number of the named ones: base 30 for the foreground, 40 for the background."""
    if base <= code <= base + 7:
        return code - base
    if base + 60 <= code <= base + 67:
        return code - base - 60 + 8
    return DEFAULT_COLOUR if code == base + 9 else colour


def _number(fields: list[bytes], at: int) -> int:
    """Return a field as a number: 0 where it is empty or not there, -1 where it is none."""
    field = fields[at] if at < len(fields) else b""
    if b":" in field:
        return -1
    return int(field or b"0")


def _colon_colour(parts: list[bytes]) -> int:
    """Read `38:5:196`, `38:2:R:G:B` and `38:2:colourspace:R:G:B`."""
    mode = _number(parts, 1)
    if mode == PALETTE:
        return _palette(_number(parts, 2))
    if mode == DIRECT:
        first = 3 if len(parts) >= 6 else 2
        return _direct([_number(parts, at) for at in range(first, min(first + 3, len(parts)))])
    return NO_COLOUR


def _semicolon_colour(fields: list[bytes], at: int) -> tuple[int, int]:
    """Read `38;5;196` and `38;2;R;G;B`: the colour, and how many fields after the 38 it takes."""
    mode = _number(fields, at + 1)
    if mode == PALETTE:
        return _palette(_number(fields, at + 2)), 2
    if mode == DIRECT:
        return _direct([_number(fields, place) for place in range(at + 2, min(at + 5, len(fields)))]), 4
    return NO_COLOUR, 1


def _palette(number: int) -> int:
    return number if 0 <= number <= 255 else NO_COLOUR


def _direct(values: list[int]) -> int:
    if len(values) < 3 or not all(0 <= value <= 255 for value in values):
        return NO_COLOUR
    return DIRECT_COLOUR | values[0] << 16 | values[1] << 8 | values[2]
