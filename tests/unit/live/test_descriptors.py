"""The limit on open files: raised as far as it may be."""

from __future__ import annotations

import resource

import pytest

from logviewer.live import descriptors
from logviewer.live.descriptors import ENOUGH_DESCRIPTORS, raise_descriptor_limit


class Limit:
    """The process's limit, and whether the system lets it be changed."""

    def __init__(self, soft: int, hard: int, fixed: bool = False) -> None:
        self.pair = (soft, hard)
        self.fixed = fixed

    def get(self, _which: int) -> tuple[int, int]:
        return self.pair

    def set(self, _which: int, pair: tuple[int, int]) -> None:
        if self.fixed:
            raise ValueError("not allowed to raise maximum limit")
        self.pair = pair


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param(Limit(1024, 4096), (4096, 4096), id="as far as the hard limit"),
        pytest.param(Limit(1024, 2**30), (ENOUGH_DESCRIPTORS, 2**30), id="not beyond all measure"),
        pytest.param(
            Limit(1024, resource.RLIM_INFINITY), (ENOUGH_DESCRIPTORS, resource.RLIM_INFINITY), id="no hard limit"
        ),
        pytest.param(Limit(2**20, 2**20), (2**20, 2**20), id="never lowered"),
        pytest.param(Limit(1024, 4096, fixed=True), (1024, 4096), id="where it may not be raised"),
    ],
)
def test_the_limit_is_raised_as_far_as_it_is_of_use(
    monkeypatch: pytest.MonkeyPatch, limit: Limit, expected: tuple[int, int]
) -> None:
    monkeypatch.setattr(descriptors.resource, "getrlimit", limit.get)
    monkeypatch.setattr(descriptors.resource, "setrlimit", limit.set)
    assert raise_descriptor_limit() == expected[0]
    assert limit.pair == expected


def test_without_any_limit_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Limit(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(descriptors.resource, "getrlimit", limit.get)
    assert raise_descriptor_limit() == ENOUGH_DESCRIPTORS
