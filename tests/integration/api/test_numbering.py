"""Many create at once: numbers and external ids stay unique, without holes. On SQLite in a file, and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connections

from logviewer.intake.builds import NewBuild, create_build
from logviewer.intake.errors import NumberTaken
from logviewer.intake.logs import create_log
from logviewer.intake.steps import create_step
from logviewer.models import Build, Builder, Project
from tests.factories import make_build, make_step

WRITERS = 8
EACH = 5

Made = TypeVar("Made")


def at_once(make: Callable[[int], Made]) -> list[Made]:
    """Call `make` EACH times in each of WRITERS threads that start at the same moment."""
    barrier = threading.Barrier(WRITERS)

    def write(writer: int) -> list[Made]:
        barrier.wait(timeout=30)
        try:
            return [make(writer * EACH + index) for index in range(EACH)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        return [made for batch in pool.map(write, range(WRITERS)) for made in batch]


pytestmark = pytest.mark.django_db(transaction=True)
ALL_NUMBERS = list(range(1, WRITERS * EACH + 1))


def test_builds_created_at_once_are_numbered_without_hole_or_double() -> None:
    made = at_once(lambda _: create_build(NewBuild("demo", "linux")))
    assert sorted(created.build.number for created in made) == ALL_NUMBERS
    assert (Project.objects.count(), Builder.objects.count()) == (1, 1)
    assert Builder.objects.get().next_number == len(ALL_NUMBERS) + 1


def test_one_external_id_asked_for_at_once_gives_one_build() -> None:
    made = at_once(lambda index: create_build(NewBuild("demo", "linux", external_id=f"job-{index % EACH}")))
    assert Build.objects.count() == EACH
    assert sum(created.is_new for created in made) == EACH
    assert sorted(Build.objects.values_list("number", flat=True)) == list(range(1, EACH + 1))


@pytest.mark.bad_input("a number that many ask for at once")
def test_a_number_asked_for_at_once_is_given_once_and_the_others_are_told_that_it_is_taken() -> None:
    def ask(index: int) -> bool:
        try:
            return create_build(NewBuild("demo", "linux", number=index % EACH + 1)).is_new
        except NumberTaken:
            return False

    made = at_once(ask)
    assert sum(made) == Build.objects.count() == EACH
    assert sorted(Build.objects.values_list("number", flat=True)) == list(range(1, EACH + 1))


def test_steps_created_at_once_are_numbered_and_each_raises_the_version() -> None:
    build = make_build()
    made = at_once(lambda _: create_step(build.pk, "compile"))
    assert sorted(created.step.number for created in made) == ALL_NUMBERS
    assert len({created.step.slug for created in made}) == len(ALL_NUMBERS)
    build.refresh_from_db()
    assert build.version == 1 + len(ALL_NUMBERS)


def test_one_log_asked_for_at_once_is_one_log() -> None:
    step = make_step()
    made = at_once(lambda index: create_log(step.pk, f"log {index % EACH}"))
    assert step.logs.count() == EACH
    assert sum(created.is_new for created in made) == EACH


@pytest.mark.bad_input("names whose slugs collide")
def test_names_whose_slugs_collide_at_once_all_have_slugs_of_their_own() -> None:
    step = make_step()
    names = [f"{'-' * number}a b" for number in range(len(ALL_NUMBERS))]
    made = at_once(lambda index: create_log(step.pk, names[index]).log)
    assert len({log.slug for log in made}) == len({log.key for log in made}) == len(names)
    assert sorted(step.logs.values_list("name", flat=True)) == sorted(names)
