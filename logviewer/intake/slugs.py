"""Slugs of steps and logs: derived from their names, unique beside each other."""

from __future__ import annotations

from collections.abc import Container
from itertools import count

from django.utils.text import slugify

from logviewer.models.build import MAX_STEP_SLUG_CHARACTERS


def unique_slug(name: str, taken: Container[str], otherwise: str) -> str:
    """A slug for `name` that is not `taken`: `compile`, `compile-2`…; `otherwise` where no letter of it can stay."""
    stem = slugify(name)[:MAX_STEP_SLUG_CHARACTERS].strip("-_") or otherwise
    if stem not in taken:
        return stem
    for number in count(2):
        suffix = f"-{number}"
        slug = stem[: MAX_STEP_SLUG_CHARACTERS - len(suffix)] + suffix
        if slug not in taken:
            return slug
    raise AssertionError("there is always another number")
