"""The same cases as tests/javascript/sgr.test.js, read from there, so that server and viewer cannot drift apart."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logviewer.chunkstore.sgr import (
    MAX_PARAMETERS_BYTES,
    PLAIN,
    SEQUENCE,
    Pen,
    apply_sgr,
    pen_after,
    unfinished_sequence,
)

ROOT = Path(__file__).parents[3]
JAVASCRIPT_CASES = (ROOT / "tests/javascript/sgr.test.js").read_text()
CHANGES = [
    (json.loads(f'"{match[1]}"'), match[2])
    for match in re.finditer(r'^  \["([^"]*)", (\{.*\})\],$', JAVASCRIPT_CASES, re.MULTILINE)
]
RESETS = re.findall(r'^  \["([^"]+)", "([^"]*)"\],$', JAVASCRIPT_CASES, re.MULTILINE)
ATTRIBUTES = ["bold", "dim", "italic", "underline", "inverse", "strike"]


def literal(javascript: str) -> dict[str, object]:
    """Return what a literal such as `{ foreground: "#ff007f", bold: true }` stands for."""
    return json.loads(re.sub(r"(\w+):", r'"\1":', javascript))


def pen_of(fields: dict[str, object]) -> Pen:
    """Return the viewer's pen as ours."""

    def colour(name: str) -> int:
        value = fields.get(name, -1)
        return 1 << 24 | int(value[1:], 16) if isinstance(value, str) else value

    bits = sum(1 << bit for bit, name in enumerate(ATTRIBUTES) if fields.get(name))
    return Pen(colour("foreground"), colour("background"), bits)


def test_the_viewers_cases_were_found():
    assert len(CHANGES) >= 30
    assert len(RESETS) >= 9


@pytest.mark.parametrize(("parameters", "change"), CHANGES)
def test_parameters_change_the_pen_as_in_the_viewer(parameters: str, change: str):
    assert apply_sgr(PLAIN, parameters.encode()) == pen_of(literal(change))


@pytest.mark.parametrize(("parameters", "reset"), RESETS)
def test_what_was_set_is_taken_back_as_in_the_viewer(parameters: str, reset: str):
    assert apply_sgr(apply_sgr(PLAIN, parameters.encode()), reset.encode()) == PLAIN


colours = st.one_of(st.integers(-1, 255), st.integers(0, 0xFFFFFF).map(lambda rgb: rgb | 1 << 24))
pens = st.builds(Pen, colours, colours, st.integers(0, 63))


@given(pens)
def test_parameters_of_a_pen_give_that_pen_in_at_most_64_bytes(pen: Pen):
    parameters = pen.parameters()
    assert len(parameters) <= 64
    assert apply_sgr(PLAIN, parameters.encode()) == pen
    assert PLAIN.parameters() == ""


numbers = st.one_of(st.integers(0, 110).map(str), st.sampled_from(["", "38;5", "48;2", "38:2", "58", "300", "4:0"]))
parameter_strings = st.lists(numbers, max_size=6).map(";".join)


@given(st.lists(parameter_strings, min_size=1, max_size=20))
def test_a_text_leaves_the_pen_that_its_sequences_one_by_one_do(strings: list[str]):
    pen = PLAIN
    for parameters in strings:
        pen = apply_sgr(pen, parameters.encode())
    assert pen_after(PLAIN, "".join(f"text\x1b[{parameters}m" for parameters in strings).encode()) == pen


texts = st.lists(
    st.sampled_from(
        [b"\x1b", b"[", b"1", b"31", b";", b"m", b"\n", b"\x1b[1;4m", b"\x1b[0m", b"\x1b[m", b"\x1b]0;", b"x"]
    ),
    max_size=30,
).map(b"".join)


@given(texts, st.integers(0, 60))
def test_a_sequence_torn_anywhere_counts_once_it_is_whole(text: bytes, cut: int):
    expected = PLAIN
    for match in SEQUENCE.finditer(text):
        expected = apply_sgr(expected, match[1])
    assert pen_after(PLAIN, text) == expected
    first = text[:cut]
    kept = first[len(first) - unfinished_sequence(first) :]
    assert pen_after(pen_after(PLAIN, first), kept + text[cut:]) == expected


def test_what_is_too_long_is_no_sequence():
    longest = b"\x1b[" + b"1" * MAX_PARAMETERS_BYTES
    assert unfinished_sequence(longest) == len(longest)
    assert unfinished_sequence(longest + b"1") == 0
    assert pen_after(PLAIN, longest + b";m") == PLAIN
    assert pen_after(PLAIN, b"\x1b[" + b"0" * (MAX_PARAMETERS_BYTES - 1) + b"1m").parameters() == "1"


def test_the_viewers_module_itself_says_the_same(tmp_path: Path):
    strings = [f"{code};{more}" for code in range(120) for more in ("", "1", "5;9", "2;1;2;3;1", "38:2::1:2:3")]
    strings += [f"{code}{more}" for code in (4, 38, 48, 58) for more in (":0", ":5:7", ":2:1:2:3", ":2::1:2:3:0", ":9")]
    script = tmp_path / "pens.mjs"
    script.write_text(
        f'import {{ PLAIN, applySgr }} from "{ROOT}/static/logviewer/js/sgr.js";\n'
        f"console.log(JSON.stringify({json.dumps(strings)}.map((parameters) => applySgr(PLAIN, parameters))));\n"
    )
    said = subprocess.run(["node", script], capture_output=True, check=True, text=True).stdout
    for parameters, pen in zip(strings, json.loads(said), strict=True):
        assert apply_sgr(PLAIN, parameters.encode()) == pen_of({k: v for k, v in pen.items() if v is not None})
