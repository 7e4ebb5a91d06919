"""What may be searched for, and what is refused in which words."""

import pytest

from logviewer.insight import InvalidQuery, Query
from logviewer.insight.query import Pattern
from logviewer.insight.shown_text import shown
from tests.unit.insight import samples


@pytest.mark.bad_input("an invalid search pattern")
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "missing ): ("),
        (")", "unexpected ): )"),
        ("[a", "missing ]: [a"),
        ("a**", "bad repetition operator: **"),
        ("*a", "no argument for repetition operator: *"),
        ("\\", "trailing \\"),
        ("\\1", "invalid escape sequence: \\1"),
        ("(?=a)", "invalid perl operator: (?="),
        ("(?<!a)b", "invalid perl operator: (?<!"),
        ("[z-a]", "invalid character class range: z-a"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("((a{100}){100}){100}", "invalid repetition size: {100}"),
    ],
)
def test_a_pattern_that_re2_refuses_is_refused_in_its_words(pattern: str, words: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        Pattern(Query(pattern, regex=True))
    assert str(refused.value) == words


@pytest.mark.bad_input("an invalid search pattern")
@pytest.mark.parametrize("pattern", ["(?:a?){900}a{900}", r"(\pL{10}){10}"])
def test_a_pattern_that_could_take_long_is_too_large(pattern: str) -> None:
    with pytest.raises(InvalidQuery, match="too large"):
        Pattern(Query(pattern, regex=True))


@pytest.mark.bad_input("an invalid search pattern")
@pytest.mark.parametrize("pattern", [r"\Aa", r"a\z", r"a(?-m)$", r"(?i-ms:^a)", r"a\Cb", r"\\\Aa", r"[]\]]\A"])
def test_what_would_see_more_than_its_line_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidQuery, match="every line is searched by itself"):
        Pattern(Query(pattern, regex=True))


@pytest.mark.parametrize(
    "pattern", [r"\\A", r"\Q\A\E", r"[\\A]", "[(?-m)]", "(?i)a", "(?-i:a)", "(?P<name>a)", r"\z"[1:]]
)
def test_what_only_looks_like_that_is_taken(pattern: str) -> None:
    Pattern(Query(pattern, regex=True))


@pytest.mark.bad_input("a search text that is empty, too long or holds a line feed")
@pytest.mark.parametrize("text", ["", "a" * 1001, "a\nb"])
@pytest.mark.parametrize("regex", [False, True])
def test_a_text_that_cannot_be_searched_for_is_refused(text: str, regex: bool) -> None:
    with pytest.raises(InvalidQuery):
        Pattern(Query(text, regex=regex))


@pytest.mark.parametrize("text", ["a" * 1000, "(", "\\", "a.b", "\x00", "é", "\udc80"])
def test_any_other_text_can_be_searched_for(text: str) -> None:
    Pattern(Query(text))


@pytest.mark.parametrize(
    "pattern",
    [r"a\sb", r"a[\s]b", r"a\Db", r"a[^x]b", r"a[\n]b", r"a\nb", r"a\x0ab", r"a\012b", r"(?s)a.b",
     r"a[\x00-\x{10ffff}]b", r"a[[:space:]]b", r"a\PLb", r"a\p{Cc}b", r"a[^\S]b"],
)  # fmt: skip
def test_no_match_holds_a_line_feed(pattern: str) -> None:
    assert Pattern(Query(pattern, regex=True)).regexp(is_ascii=True).search(b"a\nb") is None


@pytest.mark.parametrize("piece", [b"", *samples.PIECES])
@pytest.mark.parametrize("case", [False, True])
def test_no_text_that_is_shown_is_ruled_out_by_what_lies_between(piece: bytes, case: bool) -> None:
    raw = b"-\xffa" + piece + b"\x1b[m" + piece + b"b\xff-"
    if b"ab" in shown(raw):
        assert Pattern(Query("ab", case_sensitive=case)).may_occur(raw)


def test_most_text_that_is_not_shown_is_ruled_out() -> None:
    assert not Pattern(Query("ab")).may_occur(b"\x1b[31ma\x1b[m \xffb a\x1b[ma\x1b]0;x\x07\n")
