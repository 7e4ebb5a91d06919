import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import Channel, Entry, MalformedChunks, encode_entry, encode_time, parse_chunk_stream

entries = st.lists(st.builds(Entry, st.sampled_from([0, 1, 2]), st.binary(max_size=300), st.none()))


def test_the_example_of_the_contract():
    assert parse_chunk_stream(b"13:0hello world!,") == [Entry(Channel.STDOUT, b"hello world!")]


def test_an_entry_may_hold_what_looks_like_one():
    assert parse_chunk_stream(b"13:112:0hello,:,,") == [Entry(1, b"12:0hello,:,")]


def test_an_empty_body_is_an_empty_stream():
    assert parse_chunk_stream(b"") == []


def test_a_time_holds_for_all_that_follows_in_the_same_body():
    body = b"2:0a," + encode_time(1_700_000_000_000_000) + b"2:0b,2:1c," + b"2:t0,2:2d,"
    assert parse_chunk_stream(body) == [
        Entry(0, b"a", None),
        Entry(0, b"b", 1_700_000_000_000_000),
        Entry(1, b"c", 1_700_000_000_000_000),
        Entry(2, b"d", 0),
    ]


def test_the_longest_entry_is_a_mebibyte():
    data = bytes(1024 * 1024)
    assert parse_chunk_stream(encode_entry(0, data)) == [Entry(0, data)]
    with pytest.raises(ValueError, match="1048576"):
        encode_entry(0, data + b"x")


def test_unknown_channels_and_times_are_not_encoded():
    with pytest.raises(ValueError, match="3"):
        encode_entry(3, b"x")
    with pytest.raises(ValueError, match="u64"):
        encode_time(-1)
    with pytest.raises(ValueError, match="u64"):
        encode_time(2**64)


@pytest.mark.bad_input("a netstring of length 99999999999")
@pytest.mark.bad_input("a netstring without its comma")
@pytest.mark.bad_input("a netstring on channel 9")
@pytest.mark.bad_input("a netstring of negative length")
@pytest.mark.bad_input("a netstring longer than the limit")
@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"x", 0),
        (b":", 0),
        (b"5", 0),
        (b"5:", 0),
        (b"5:0abc", 0),
        (b"5:0abcd", 0),
        (b"5:0abcd;", 7),
        (b"5:0abcd,5:0abcd;", 15),
        (b"5:0abcd,\n", 8),
        (b"0:,", 0),
        (b"05:0abcd,", 0),
        (b"+5:0abcd,", 0),
        (b" 5:0abcd,", 0),
        (b"-5:0abcd,", 0),
        (b"1_0:0abcdefghi,", 1),
        (b"5 :0abcd,", 1),
        (b"\xd9\xa5:0abcd,", 0),
        (b"5:9abcd,", 2),
        (b"5:3abcd,", 2),
        (b"5:/abcd,", 2),
        (b"1:,,", 2),
        (b"2:0a,99999999999:", 5),
        (b"1048578:0", 0),
        (b"9999999:0", 0),
        (b"2:tx,", 3),
        (b"1:t,", 3),
        (b"3:t-1,", 3),
        (b"21:t18446744073709551616,", 4),
        (b"22:t000000000000000000001,", 4),
        (b"2:0a,2:0b", 5),
    ],
)
def test_what_is_no_chunk_stream_is_refused_at_the_byte_at_fault(body: bytes, position: int):
    with pytest.raises(MalformedChunks) as caught:
        parse_chunk_stream(body)
    assert caught.value.position == position
    assert str(position) in str(caught.value)


def test_the_largest_time_is_a_u64():
    assert parse_chunk_stream(b"21:t18446744073709551615,2:0a,") == [Entry(0, b"a", 2**64 - 1)]


@settings(deadline=None)
@given(entries)
def test_what_is_encoded_is_parsed_as_it_was(given_entries: list[Entry]):
    body = b"".join(encode_entry(entry.channel, entry.data) for entry in given_entries)
    assert parse_chunk_stream(body) == given_entries


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=60), st.text("0123456789:,t ", max_size=30).map(str.encode)))
def test_any_bytes_either_parse_as_a_plain_reader_does_or_are_refused_within_the_body(body: bytes):
    try:
        parsed = parse_chunk_stream(body)
        position = None
    except MalformedChunks as error:
        parsed, position = None, error.position
    assert parsed == plain_parse(body)
    assert position is None or 0 <= position < len(body)


@settings(deadline=None)
@given(entries, st.data())
def test_a_stream_cut_anywhere_but_between_entries_is_refused(given_entries: list[Entry], data: st.DataObject):
    pieces = [encode_entry(entry.channel, entry.data) for entry in given_entries]
    body = b"".join(pieces)
    cut = data.draw(st.integers(0, len(body)))
    whole = [0]
    for piece in pieces:
        whole.append(whole[-1] + len(piece))
    if cut in whole:
        assert parse_chunk_stream(body[:cut]) == given_entries[: whole.index(cut)]
    else:
        with pytest.raises(MalformedChunks):
            parse_chunk_stream(body[:cut])


def plain_parse(body: bytes) -> list[Entry] | None:
    """The wire form once more, slowly, with a regular expression."""
    entries, time_us = [], None
    while body:
        found = re.match(rb"([1-9][0-9]*):", body)
        if not found or int(found[1]) > 1048577:
            return None
        length = int(found[1])
        data, comma, body = (
            body[found.end() :][:length],
            body[found.end() + length :][:1],
            body[found.end() + length + 1 :],
        )
        if len(data) != length or comma != b"," or data[:1] not in (b"0", b"1", b"2", b"t"):
            return None
        if data[:1] != b"t":
            entries.append(Entry(int(data[:1]), data[1:], time_us))
        elif re.fullmatch(rb"t[0-9]{1,20}", data) and int(data[1:]) < 2**64:
            time_us = int(data[1:])
        else:
            return None
    return entries
