"""Searching a log: what is found, page by page, and within which bounds."""

import tempfile
import tracemalloc
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkStore, Entry, FsyncPolicy
from logviewer.insight import MAX_LINE_BYTES, Found, Query, SearchCancelled, blocks, chunks, hits, search, search_log
from tests.unit.chunkstore.logs import KEY, err, out
from tests.unit.insight import naive, samples

PATTERNS = ["a", "a+", "[ab]", "^a", "b$", "^$", ".", "a|b", ".*b", "(a|b)+", "x*", "a.b", "[^a]", r"\bab", "\ufffd"]
TEXTS = ["s", "k", "a", "ab", "b", "A", "é", "😀", "e\u0301", "\ufffd", " ", "a\r", "31m", "x"]
CHANNELS = [(0, 1, 2), (0,), (1,), (0, 2)]


def never() -> bool:
    return False


def find(store: ChunkStore, query: Query, start: int = 0, limit: int = 1000, sha256: str | None = None) -> Found:
    with store.reader(KEY) as reader:
        return search_log(reader, query, start=start, limit=limit, cancelled=never, text_sha256=sha256)


def numbers(found: Found) -> list[int]:
    return [hit.n for hit in found.hits]


@given(
    entries=st.lists(st.builds(Entry, st.sampled_from([0, 1, 2]), samples.texts, st.none()), max_size=8),
    what=st.sampled_from([(pattern, True) for pattern in PATTERNS] + [(text, False) for text in TEXTS]),
    case=st.booleans(),
    channels=st.sampled_from(CHANNELS),
    chunk_bytes=st.sampled_from([1, 3, 7, 1 << 20]),
)
@example([err(b"a\nb"), out(b"\n")], ("^$", True), True, (0,), 1 << 20)
@example([out(b"k\n\xe2"), out(b"\x84\xaa")], ("k", False), False, (0, 1, 2), 1)
def test_it_finds_what_a_search_line_by_line_finds(
    entries: list[Entry], what: tuple[str, bool], case: bool, channels: tuple[int, ...], chunk_bytes: int
) -> None:
    text, regex = what
    with tempfile.TemporaryDirectory() as root, patch.object(chunks, "CHUNK_BYTES", chunk_bytes):
        store = ChunkStore(Path(root), fsync=FsyncPolicy.NEVER)
        store.create(KEY)
        for entry in entries:
            store.append(KEY, [entry])
        found = find(store, Query(text, regex, case, frozenset(channels)))
        store.close()
    expected = naive.hits(entries, text, regex=regex, case=case, channels=channels)
    assert [(hit.n, hit.spans, hit.text) for hit in found.hits] == expected
    assert (found.total, found.exact, found.next) == (len(expected), True, None)


def test_a_hit_may_have_escape_sequences_in_its_middle(store: ChunkStore) -> None:
    store.append(KEY, [out("é😀 \x1b[31mer\x1b[1mror\x1b[0m: no\r\n".encode())])
    (hit,) = find(store, Query("ERROR")).hits
    assert hit == hits.Hit(1, [(4, 9)], "é😀 error: no", None)


def test_pages_follow_one_another_and_each_says_the_total(store: ChunkStore) -> None:
    store.append(KEY, [out(b"".join(b"%d %s\n" % (n, b"hit" * (n % 3 == 0)) for n in range(1, 101)))])
    seen: list[int] = []
    start: int | None = 0
    while start is not None:
        page = find(store, Query("hit"), start, limit=7)
        assert (page.total, page.exact) == (33, True)
        assert len(page.hits) <= 7
        seen += numbers(page)
        start = page.next
    assert seen == list(range(3, 100, 3))


def test_a_page_starts_at_the_line_asked_for(store: ChunkStore) -> None:
    store.append(KEY, [out(b"a\nb\na\nb\na\n")])
    assert numbers(find(store, Query("a"), start=2)) == [3, 5]
    assert numbers(find(store, Query("a"), start=5)) == [5]
    assert numbers(find(store, Query("a"), start=6)) == []
    assert numbers(find(store, Query("a"), start=10**18)) == []


@pytest.mark.parametrize("sha256", [None, "a text"])
def test_the_total_has_a_cap_and_pages_go_on_beyond_it(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch, sha256: str | None
) -> None:
    monkeypatch.setattr(search, "MAX_TOTAL", 10)
    store.append(KEY, [out(b"a\n-\n" * 25)])
    seen: list[int] = []
    start: int | None = 0
    while start is not None:
        page = find(store, Query("a"), start, 4, sha256)
        assert (page.total, page.exact) == (10, False)
        assert page.hits
        seen += numbers(page)
        start = page.next
    assert seen == list(range(1, 51, 2))


def test_a_total_just_at_the_cap_is_exact(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_TOTAL", 10)
    store.append(KEY, [out(b"a\n" * 10)])
    found = find(store, Query("a"))
    assert (found.total, found.exact, found.next) == (10, True, None)


def test_the_next_page_of_a_finished_log_costs_no_second_search(store: ChunkStore) -> None:
    store.append(KEY, [out(b"a\n" * 100)])
    first = find(store, Query("a"), 0, 10, "a text")
    with patch.object(search, "find_lines", side_effect=AssertionError("searched again")):
        second = find(store, Query("a"), first.next or 0, 10, "a text")
        assert numbers(second) == list(range(11, 21))
        for other in (Query("a", True), Query("a", case_sensitive=True), Query("a", channels=frozenset([0]))):
            with pytest.raises(AssertionError, match="searched again"):
                find(store, other, 0, 10, "a text")
        with pytest.raises(AssertionError, match="searched again"):
            find(store, Query("a"), 0, 10, "another text")


def test_an_open_log_is_searched_as_far_as_it_goes(store: ChunkStore) -> None:
    store.append(KEY, [out(b"a\nb")])
    assert find(store, Query("a")).total == 1
    store.append(KEY, [out(b"a\na")])
    found = find(store, Query("a"))
    assert [(hit.n, hit.text) for hit in found.hits] == [(1, "a"), (2, "ba"), (3, "a")]


def test_a_sealed_log_is_searched_like_its_text(store: ChunkStore) -> None:
    for number in range(30):
        store.append(KEY, [out(b"\x1b[32mline\x1b[0m %d of stdout\n" % number * 4000), err(b"error %d\n" % number)])
    store.append(KEY, [*_cut(b"-" * 2_000_000 + b"needle" + b"-" * 100_000), out(b"\nlast error")])
    store.finish(KEY)
    queries = [
        Query("ERROR"),
        Query("needle"),
        Query("line 17", channels=frozenset([0, 2])),
        Query(r"^(error|line) 2\d|last", True, True),
        Query("^$|r 29$", True, channels=frozenset([1])),
    ]
    plain = [find(store, query) for query in queries]
    store.seal(KEY)
    assert [find(store, query) for query in queries] == plain
    assert [found.total for found in plain] == [31, 1, 4000, 40_011, 1]


def test_an_empty_log_has_no_hits(store: ChunkStore) -> None:
    assert find(store, Query("x*", True)) == Found(0, True, [], None)


def test_a_long_line_is_cut_and_says_how_long_it_is(store: ChunkStore) -> None:
    line = b"ab" + "é".encode() * MAX_LINE_BYTES + b"end"
    store.append(KEY, [out(line + b"\nnext\n")])
    (hit,) = find(store, Query("b|end|é$", True)).hits
    assert hit.length == len(line)
    assert hit.text == "ab" + "é" * ((MAX_LINE_BYTES - 2) // 2)
    assert hit.spans == [(1, 2)]


def test_a_line_of_just_that_length_is_not_cut(store: ChunkStore) -> None:
    store.append(KEY, [out(b"a" * MAX_LINE_BYTES + b"\n")])
    (hit,) = find(store, Query("a$", True)).hits
    assert (hit.length, hit.spans) == (None, [(MAX_LINE_BYTES - 1, MAX_LINE_BYTES)])


@pytest.mark.parametrize("place", [0, 1000, 262_140, 262_144, 300_000, 1_048_570, 1_500_000, 2_999_990])
def test_a_hit_anywhere_in_a_line_longer_than_a_block_is_found_once(store: ChunkStore, place: int) -> None:
    line = bytearray(b"-" * 3_000_000)
    line[place : place + 6] = b"needle"
    store.append(KEY, [out(b"one\n"), *_cut(bytes(line)), out(b"\nneedle\nlast needle")])
    found = find(store, Query("needle"))
    assert (numbers(found), found.total) == ([2, 3, 4], 3)
    assert found.hits[0].length == len(line)
    assert numbers(find(store, Query("^needle|needle$", True))) == ([2] if place in (0, 2_999_994) else []) + [3, 4]
    assert numbers(find(store, Query("^one$|^-+$", True))) == [1]


def _cut(data: bytes) -> list[Entry]:
    return [out(data[at : at + 50_000]) for at in range(0, len(data), 50_000)]


def test_an_answer_has_at_most_four_megabytes_and_the_next_page_goes_on(store: ChunkStore) -> None:
    for _ in range(15):
        store.append(KEY, [out((b"a" + b"-" * 15_000 + b"\n") * 60)])
    page = find(store, Query("a"))
    assert sum(len(hit.text) for hit in page.hits) <= 4 * 1024 * 1024
    assert page.next == page.hits[-1].n + 1
    assert page.total == 900


def test_a_line_has_at_most_a_thousand_spans(store: ChunkStore) -> None:
    store.append(KEY, [out(b"ab" * 5000)])
    assert len(find(store, Query("a")).hits[0].spans) == hits.MAX_SPANS


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a+)+x", "(a|a)*b", "(.*)*c", "a*a*a*a*a*a*z", "(a|b)*a(a|b){12}c"])
def test_no_pattern_takes_more_time_than_the_text_is_long(store: ChunkStore, pattern: str) -> None:
    store.append(KEY, [out(b"a" * 500_000), out(b"a" * 500_000), out(b"!\n"), out(b"a" * 10_000 + b"\n")])
    assert find(store, Query(pattern, True)).exact


def test_a_search_that_takes_too_long_gives_what_it_has_and_where_to_go_on(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCH_SECONDS", -1)
    monkeypatch.setattr(blocks, "MAX_BLOCK_BYTES", 4)
    store.append(KEY, [out(b"a\nb\na\nb\n")])
    found = find(store, Query("a"))
    assert (found.total, found.exact, found.hits) == (0, False, [])
    assert found.next is not None
    assert found.next > 1


@pytest.mark.parametrize(
    "piece", [b"a" * 99 + b"\n", b"a" * 100, b"\xff" + b"\n" * 99], ids=["lines", "a line", "feeds"]
)
@pytest.mark.parametrize("query", [Query("b"), Query("b|c", True, channels=frozenset([0]))], ids=["text", "channel"])
def test_memory_does_not_grow_with_the_log(store: ChunkStore, piece: bytes, query: Query) -> None:
    for _ in range(16):
        store.append(KEY, [out(piece * 10_000), err(b"\n")])
    tracemalloc.start()
    try:
        assert find(store, query).total == 0
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024  # of 16 MB
    finally:
        tracemalloc.stop()


def test_a_search_is_called_off_between_two_blocks(store: ChunkStore) -> None:
    for _ in range(3):
        store.append(KEY, [out(b"line\n" * 200_000)])
    asked = count()
    with store.reader(KEY) as reader, pytest.raises(SearchCancelled):
        search_log(reader, Query("absent"), cancelled=lambda: next(asked) == 3)
    assert next(asked) == 4


@pytest.mark.bad_input("a search page out of bounds")
@pytest.mark.parametrize(("start", "limit"), [(-1, 1), (0, 0), (0, 1001), (0, -1)])
def test_a_page_out_of_bounds_is_refused(store: ChunkStore, start: int, limit: int) -> None:
    with pytest.raises(ValueError, match="no page of"):
        find(store, Query("a"), start, limit)
