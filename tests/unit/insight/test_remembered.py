"""The memory of what was found: the last used, within a bound."""

from array import array

from logviewer.insight import Query
from logviewer.insight.remembered import ENTRY_BYTES, FoundLines, Remembered


def test_what_was_not_used_for_longest_goes_first() -> None:
    memory = Remembered(3 * (ENTRY_BYTES + 80))
    found = FoundLines(array("Q", range(10)), None)
    names = [("log", str(number), Query("a")) for number in range(4)]
    for name in names[:3]:
        memory.put(name, found)
    assert memory.get(names[0]) == found
    memory.put(names[3], found)
    assert [memory.get(name) is not None for name in names] == [True, False, True, True]


def test_what_is_larger_than_all_of_it_is_not_kept() -> None:
    memory = Remembered(1000)
    memory.put(("log", "sha", Query("a")), FoundLines(array("Q", range(1000)), None))
    assert memory.get(("log", "sha", Query("a"))) is None


def test_a_result_that_is_put_again_counts_once() -> None:
    memory = Remembered(ENTRY_BYTES + 8)
    name = ("log", "sha", Query("a"))
    for number in range(3):
        memory.put(name, FoundLines(array("Q", [number]), None))
    assert memory.get(name) == FoundLines(array("Q", [2]), None)
