"""Log files: what the database knows of them."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils import timezone

from logviewer.models.build import MAX_NAME_CHARACTERS, MAX_STEP_SLUG_CHARACTERS, Step
from logviewer.models.states import Completeness, LogForm, LogState, LogType


class _LogsThatStay(models.Manager["LogFile"]):
    """Logs but for those whose deletion has begun: to all but those who complete that, they are gone."""

    def get_queryset(self) -> models.QuerySet[LogFile]:
        """Also of a step's logs, and where they are fetched with it."""
        return super().get_queryset().filter(deletion_began_at=None)


class LogFile(models.Model):
    """One log of a step. Its bytes lie in the chunk store under `storage_key`.

    `size`, `lines`, `received`, `omitted` are a cache of the index, at most about a second old while the log is open.
    `errors` and `warnings` count the lines that are some in the first `looked_bytes` of the text; once the log is
    finished and that is all of it, it is `looked_through`.
    `redactions` counts how often lines of it were overwritten: what was read before is not to be shown any more.
    `form` follows the store once a log is finished; `stored_bytes` is the size of its sealed file, 0 while plain.
    `deletion_began_at`: its files are going or gone, and its row follows; only `including_deleted` still has it.
    """

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="logs")
    name = models.CharField(max_length=MAX_NAME_CHARACTERS)
    slug = models.CharField(max_length=MAX_STEP_SLUG_CHARACTERS)
    type = models.CharField(max_length=5, choices=LogType.choices, default=LogType.STDIO)
    state = models.CharField(max_length=9, choices=LogState.choices, default=LogState.OPEN)
    size = models.PositiveBigIntegerField(default=0)
    lines = models.PositiveBigIntegerField(default=0)
    received = models.PositiveBigIntegerField(default=0)
    omitted = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0, editable=False)
    warnings = models.PositiveBigIntegerField(default=0, editable=False)
    looked_bytes = models.PositiveBigIntegerField(default=0, editable=False)
    looked_through = models.BooleanField(default=False, editable=False)
    redactions = models.PositiveIntegerField(default=0, editable=False)
    sha256 = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - as in the API
    text_sha256 = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - as in the API
    completeness = models.CharField(max_length=10, choices=Completeness.choices, null=True, blank=True)  # noqa: DJ001
    form = models.CharField(max_length=8, choices=LogForm.choices, default=LogForm.PLAIN)
    stored_bytes = models.PositiveBigIntegerField(default=0)
    storage_key = models.CharField(max_length=500, unique=True, null=True)  # noqa: DJ001 - NULL until the id is known
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    written_at = models.DateTimeField(default=timezone.now)
    deletion_began_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = _LogsThatStay()
    including_deleted = models.Manager["LogFile"]()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["step", "name"], name="log_name_in_step"),
            models.UniqueConstraint(fields=["step", "slug"], name="log_slug_in_step"),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="log_state"),
            # What upkeep asks for every few seconds: few rows, whatever the number of logs. All three columns, though
            # the condition fixes two: SQLite, which does not know that the rows are few, would take log_state else.
            models.Index(
                fields=["form", "state", "id"],
                name="log_to_seal",
                condition=models.Q(state=LogState.FINISHED, form=LogForm.PLAIN),
            ),
            # What insight has yet to look at: open logs and a few that ended lately.
            models.Index(
                fields=["looked_through", "id"], name="log_to_look_at", condition=models.Q(looked_through=False)
            ),
            models.Index(fields=["id"], name="log_to_move", condition=models.Q(form=LogForm.SEALED)),
            # The admin's lists. Not `size`, which changes every second while a log is open: each change would cost an
            # entry in every index. What is rare has an index of its own rows; the condition is written with OR, which
            # SQLite sees through, while it does not see that IN holds where one of its words does.
            models.Index(fields=["started_at"], name="log_started"),
            models.Index(fields=["-stored_bytes"], name="log_stored_bytes"),
            models.Index(fields=["form", "id"], name="log_archived", condition=models.Q(form=LogForm.ARCHIVED)),
            models.Index(
                fields=["type", "id"],
                name="log_no_output",
                condition=models.Q(type=LogType.TEXT) | models.Q(type=LogType.HTML),
            ),
            models.Index(
                fields=["completeness", "id"],
                name="log_incomplete",
                condition=models.Q(completeness=Completeness.UNVERIFIED)
                | models.Q(completeness=Completeness.ABANDONED)
                | models.Q(completeness=Completeness.OMITTED),
            ),
            models.Index(
                fields=["deletion_began_at"],
                name="log_being_deleted",
                condition=models.Q(deletion_began_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step}/{self.slug}"

    def get_absolute_url(self) -> str:
        """The log's own page."""
        build = self.step.build
        return reverse(
            "logviewer:log",
            args=[build.builder.project.slug, build.builder.slug, build.number, self.step.slug, self.slug],
        )

    @property
    def key(self) -> str:
        """Where the chunk store keeps the bytes; set for every log that intake created."""
        if self.storage_key is None:
            raise ValueError(f"log {self.pk} has no storage key")
        return self.storage_key

    @property
    def is_finished(self) -> bool:
        """Whether no byte can come any more (Buildbot's isFinished)."""
        return self.state == LogState.FINISHED

    @property
    def sealed(self) -> bool:
        """Whether the text was compressed for good, here or in the archive."""
        return self.form != LogForm.PLAIN

    @property
    def has_contents(self) -> bool:
        """Whether there is anything to read (Buildbot's hasContents)."""
        return self.size > 0


def storage_key(log: LogFile) -> str:
    """The key for a log that has an id: readable, and unique by the id at its end (storage.md)."""
    step = log.step
    builder = step.build.builder
    return f"{builder.project.slug}/{builder.slug}/{step.build.number}/{step.number}-{step.slug}/{log.slug}-{log.pk}"
