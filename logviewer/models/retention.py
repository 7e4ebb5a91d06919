"""What projects and builders say of how long builds are kept."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models

MAX_KEEP_DAYS = 36_500
MAX_KEEP_BUILDS = 10_000
MAX_TOTAL_BYTES = 2**60

NOT_SO = "0: not by this rule."


class RetentionFields(models.Model):
    """Which builds are kept. Each field may be null, on a builder for what its project says, on a project for no rule.

    0 is no rule either, also where a project has one: so a builder says that it goes its own way.
    `upkeep.retention.policy` says what they mean together.
    """

    keep_days = models.PositiveIntegerField(
        "days",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_KEEP_DAYS)],
        help_text=f"How many days a build is kept after its end. {NOT_SO}",
    )
    keep_builds = models.PositiveIntegerField(
        "last builds",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_KEEP_BUILDS)],
        help_text=f"How many of each builder's last builds are kept, whatever their age. {NOT_SO} Where neither days "
        "nor a number of last builds is given, builds of any age are kept.",
    )
    keep_successful = models.PositiveIntegerField(
        "last successful builds",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_KEEP_BUILDS)],
        help_text=f"How many of each builder's last successful builds are kept besides. {NOT_SO}",
    )
    keep_failed_days = models.PositiveIntegerField(
        "days of failed builds",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_KEEP_DAYS)],
        help_text=f"How many days a failed build is kept, where that is longer. {NOT_SO}",
    )
    keep_viewed_days = models.PositiveIntegerField(
        "days since it was looked at",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_KEEP_DAYS)],
        help_text=f"How many days a build is kept since somebody last opened its page or a log's. {NOT_SO}",
    )
    max_total_bytes = models.PositiveBigIntegerField(
        "bytes in all",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_TOTAL_BYTES)],
        help_text="What the logs may take together; beyond, the oldest builds go first, whatever their age, but for "
        "last builds, those looked at and pinned ones. A builder with a value of its own does not count in its "
        "project's. 0: no limit.",
    )

    class Meta:
        abstract = True
