r"""The text of lines as it is searched and shown: valid UTF-8, without escape sequences and without the CR of a CR LF.

What an escape sequence is, static/logviewer/js/terminal.js says: CSI, strings (OSC, DCS, SOS, PM, APC), and ESC with
its intermediates and final character; a sequence ends with its line at the latest; of a malformed one its beginning
goes and the character that does not fit stays. Other control characters stay, as do carriage returns within a line.
"""

import re

ESCAPE = b"\x1b"
_SEQUENCES = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*+[ -/]*+[@-~]?"  # a control sequence, also one that ends early
    rb"|[\]PX^_](?:[^\x07\x18\x1a\x1b\n\xc2]|\xc2(?!\x9c))*+(?:[\x07\x18\x1a]|\xc2\x9c)?"  # a string up to its end
    rb"|[ -/]*+(?:[0-OQ-WYZ\\`-~]|(?=\n|\Z))"  # ESC, intermediates, final character or the line's end
    rb")?"
)


def is_shown_as_it_is(text: bytes) -> bool:
    """Say whether `shown` would change nothing, where that is quickly said."""
    return text.isascii() and ESCAPE not in text and b"\r" not in text


def shown(text: bytes) -> bytes:
    """Return lines as they are shown; their line feeds stay, so that they can be counted."""
    if not text.isascii():
        text = _valid(text)
    if ESCAPE in text:
        text = _SEQUENCES.sub(b"", text)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").removesuffix(b"\r")
    return text


def _valid(text: bytes) -> bytes:
    """Return the text with U+FFFD for what is not UTF-8, as decoders put it."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode()
    return text
