"""Secrets are masked in every form, wherever output is cut, and nothing else changes."""

from __future__ import annotations

import base64
import os
from unittest.mock import patch
from urllib.parse import quote, quote_plus

import pytest
from buildlogs_agent.disguises import MAX_LITERAL_BYTES, disguises
from buildlogs_agent.literals import MAX_FOUND_SINGLY, WINDOW_BYTES, Literals
from buildlogs_agent.masking import SECRET_NAME, ChannelMask, Mask, mask_of, masked_names
from hypothesis import example, given
from hypothesis import strategies as st

VALUE = b"s3cr3t/v+lue ?&%"


def masked(data: bytes, *values: bytes) -> bytes:
    return ChannelMask(Literals(set().union(*map(disguises, values)))).complete(data)


def in_pieces(literals: Literals, pieces: list[bytes]) -> bytes:
    mask = ChannelMask(literals)
    return b"".join([*map(mask.take, pieces), mask.complete()])


def by_hand(data: bytes, literals: set[bytes]) -> bytes:
    """The rule without any speed: every byte that any occurrence covers, overlapping ones as one."""
    found = sorted(
        (at, at + len(one)) for one in literals for at in range(len(data)) if data[at : at + len(one)] == one
    )
    out, position = b"", 0
    for start, end in found:
        if start >= position or not out:
            out += data[position:start] + b"***"
        position = max(position, end)
    return out + data[position:]


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        quote(VALUE).encode(),
        quote(VALUE, safe="").encode(),
        quote(VALUE, safe="").lower().encode(),
        quote_plus(VALUE).encode(),
        quote_plus(VALUE).lower().encode(),
        base64.b64encode(VALUE),
        base64.urlsafe_b64encode(VALUE),
        base64.b64encode(VALUE * 12)[:76],
    ],
    ids=["plain", "url", "all", "lower", "plus", "plus-lower", "base64", "base64url", "in-a-line"],
)
def test_each_form_is_masked(form: bytes) -> None:
    assert masked(b"before " + form + b" after\n", VALUE, VALUE * 12) == b"before *** after\n"


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("length", [6, 7, 8, 33])
def test_base64_is_masked_at_each_alignment(before: int, after: int, length: int) -> None:
    value = os.urandom(40).hex().encode()[:length]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(b"u" * before + value + b"p" * after)
        left = masked(encoded, value)
        assert b"***" in left
        assert len(left.replace(b"***", b"")) <= -(-before * 8 // 6) + -(-after * 8 // 6) + 4


def test_each_line_of_a_value_of_several_lines_is_masked() -> None:
    key = b"-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\r\n  indented-line\nend\n"
    assert masked(b"> " + key, key) == b"> ***"
    for line in (b"-----BEGIN KEY-----", b"MIIEowIBAAKCAQEA", b"indented-line"):
        assert masked(b"[" + line + b"]", key) == b"[***]"
        assert masked(base64.b64encode(line), key) == b"***"
    assert masked(b"the end", key) == b"the end"
    assert masked(key.replace(b"\r", b"").replace(b"\n", b"\r\n"), key.replace(b"\r", b"")) == b"***"


@pytest.mark.parametrize("length", [MAX_LITERAL_BYTES, MAX_LITERAL_BYTES + 1, 50_000])
def test_a_long_value_is_masked_although_little_of_it_is_held_back(length: int) -> None:
    value = base64.b64encode(os.urandom(length))[:length]
    mask = ChannelMask(Literals(disguises(value)))
    data = b"(" + value + b")"
    released = [mask.take(data[at : at + 1000]) for at in range(0, len(data), 1000)]
    assert len(mask._held) <= MAX_LITERAL_BYTES
    assert (b"".join(released) + mask.complete()).replace(b"***", b"") == b"()"


literal = st.text("ab\n", min_size=3, max_size=7).map(str.encode)
each_way_of_looking = pytest.mark.parametrize(
    "singly", [MAX_FOUND_SINGLY, 0], ids=["one-after-the-other", "all-at-once-in-pairs"]
)


@each_way_of_looking
@given(st.sets(literal, min_size=1, max_size=4), st.lists(st.text("abc\n", max_size=12).map(str.encode), max_size=8))
@example({b"abcab", b"abxyz"}, [b"abcabxyz"])
@example({b"aaa"}, [b"aaaaaaa"])
def test_where_output_is_cut_makes_no_difference(singly: int, literals: set[bytes], pieces: list[bytes]) -> None:
    expected = by_hand(b"".join(pieces), literals)
    with patch("buildlogs_agent.literals.MAX_FOUND_SINGLY", singly):
        assert in_pieces(Literals(literals), pieces) == expected
        assert in_pieces(Literals(literals), [b"".join(pieces)]) == expected


@each_way_of_looking
@pytest.mark.parametrize(
    "at", [WINDOW_BYTES - 9, WINDOW_BYTES - 5, WINDOW_BYTES - 1, WINDOW_BYTES, 2 * WINDOW_BYTES - 3]
)
def test_a_secret_over_the_border_of_a_window_is_masked(singly: int, at: int) -> None:
    with patch("buildlogs_agent.literals.MAX_FOUND_SINGLY", singly):
        masking = ChannelMask(Literals({b"secret-value", b"another-one"}))
        before = b"." * at
        assert masking.complete(before + b"secret-value" + b"." * WINDOW_BYTES) == before + b"***" + b"." * WINDOW_BYTES


@each_way_of_looking
@given(st.sets(st.binary(min_size=3, max_size=6), min_size=1, max_size=4), st.data())
def test_output_that_is_no_text_is_masked_too(singly: int, literals: set[bytes], data: st.DataObject) -> None:
    part = st.one_of(st.sampled_from(sorted(literals)), st.binary(max_size=9), st.just(b"\x00\xd8\x00\xdc"))
    pieces = data.draw(st.lists(part, max_size=8))
    with patch("buildlogs_agent.literals.MAX_FOUND_SINGLY", singly):
        assert in_pieces(Literals(literals), pieces) == by_hand(b"".join(pieces), literals)


def test_only_what_may_be_the_beginning_of_a_secret_is_held_back() -> None:
    mask = ChannelMask(Literals({b"secret-value"}))
    assert mask.take(b"Continue? ") == b"Continue? "
    assert mask.take(b"no: sec") == b"no: "
    assert mask.take(b"ond thoughts\n") == b"second thoughts\n"
    assert [mask.take(bytes([byte])) for byte in b"secret-value."] == [b""] * 11 + [b"***", b"."]


def test_an_unfinished_secret_at_the_end_is_no_secret() -> None:
    mask = ChannelMask(Literals({b"secret-value", b"secret-value-2"}))
    assert mask.take(b"secret-val") == b""
    assert mask.complete() == b"secret-val"
    assert mask.take(b"secret-value-") == b""
    assert mask.complete() == b"***-"


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN",
        "npm_config__authToken",
        "DB_PASSWORD",
        "MYSQL_PWD",
        "API_KEY",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "SSH_PRIVATE_KEY",
        "GOOGLE_CREDENTIALS",
        "PGPASSWD",
        "DB_PASS",
        "GPG_PASSPHRASE",
        "client_secret",
        "NPM_AUTH",
    ],
)
def test_names_that_look_like_secrets(name: str) -> None:
    assert SECRET_NAME.search(name)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY", "TOKENIZERS_PARALLELISM", "PATH"])
def test_names_that_do_not(name: str) -> None:
    assert not SECRET_NAME.search(name)


def test_which_values_are_masked_and_what_is_said_about_the_others() -> None:
    environment = {"A_TOKEN": "value-of-token", "PIN": "12345", "MINE": "my-own-value", "EMPTY_TOKEN": "", "X": "plain"}
    said: list[str] = []
    mask = mask_of(environment, ["MINE", "PIN", "GONE"], True, "bl_agent-token", said.append)
    text = mask.text("value-of-token 12345 my-own-value plain bl_agent-token")
    assert text == "*** 12345 *** plain ***"
    assert said == [
        "there is nothing to mask: GONE is not set",
        "the value of PIN is shorter than 6 characters and is not masked",
    ]
    assert mask.variables(environment) == {
        "A_TOKEN": "***",
        "PIN": "***",
        "MINE": "***",
        "EMPTY_TOKEN": "***",
        "X": "plain",
    }
    assert mask_of(environment, [], False, None, said.append).text("value-of-token") == "value-of-token"


def test_names_come_from_the_build_around_too() -> None:
    assert masked_names({"BUILDLOGS_MASK": "A,B,,"}, ["B", "C"]) == ["A", "B", "C"]


def test_a_mask_of_nothing_changes_nothing() -> None:
    assert Mask().text("anything\udcff") == "anything\udcff"
    assert Mask().channel() is None
