"""Which coding a client takes, and by which ETag it knows a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logviewer.doors.codings import Coding, known_coding, preferred_coding

SHA256 = "ab" * 32


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZip", "gzip"),
        ("br", "identity"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip,deflate", "gzip"),
        ("zstd;q=0", "identity"),
        ("zstd;q=0.000, gzip", "gzip"),
        ("zstd;q=0, *", "gzip"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("zstd;q=0.001", "zstd"),
        ("gzip ; q=1.0 , zstd ; q=1", "zstd"),
        ("identity;q=0.9, zstd;q=0.1", "identity"),
        ("identity, zstd", "zstd"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, gzip", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("*;q=0", "identity"),
        ("identity;q=0", "identity"),
        ("zstd;q=2", "identity"),
        ("zstd;q=0.0001", "identity"),
        ("zstd;q=-1", "identity"),
        ("zstd;level=3", "identity"),
        ("zstd zstd", "identity"),
        (",, ,gzip,", "gzip"),
    ],
)
def test_the_coding_is_the_one_the_client_likes_best(accepted: str | None, coding: str) -> None:
    assert preferred_coding(accepted) == coding


@given(st.text(alphabet="zstdgip*,;q=01.5 -\t\xff", max_size=40))
def test_whatever_is_sent_an_answer_is_found(accepted: str) -> None:
    assert preferred_coding(accepted) in set(Coding)


@given(st.sampled_from(["zstd", "gzip"]), st.integers(0, 1000))
def test_a_coding_that_is_refused_is_never_chosen(name: str, weight: int) -> None:
    other = "gzip" if name == "zstd" else "zstd"
    assert preferred_coding(f"{name};q=0, {other};q={weight / 1000:.3f}, *;q=1") != name


def test_each_coding_has_an_etag_of_its_own() -> None:
    assert [coding.etag(SHA256) for coding in Coding] == [f'"{SHA256}-zstd"', f'"{SHA256}-gzip"', f'"{SHA256}"']


@pytest.mark.parametrize(
    ("condition", "known"),
    [
        (None, None),
        ("", None),
        ('"other"', None),
        (f'"{SHA256}"', "identity"),
        (f'W/"{SHA256}-zstd"', "zstd"),
        (f'"other", "{SHA256}-gzip"', "gzip"),
        (f'"{SHA256}-br"', None),
        ("*", "gzip"),
        (f'"{SHA256}", "{SHA256}-gzip", "{SHA256}-zstd"', "gzip"),
    ],
)
def test_a_text_is_known_in_any_coding_best_in_the_preferred_one(condition: str | None, known: str | None) -> None:
    assert known_coding(condition, SHA256, Coding.GZIP) == known
