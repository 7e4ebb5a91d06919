"""The jobs of upkeep: who is at each now, how its last runs went, and what they found."""

from __future__ import annotations

from django.db import models

from logviewer.models.logfile import LogFile
from logviewer.models.project import Project

MAX_JOB_CHARACTERS = 30
MAX_ERROR_CHARACTERS = 2000
MAX_DAMAGE_CHARACTERS = 1000


class RunOutcome(models.TextChoices):
    """How a run of a job ended. `lost`: its process died, or was held up for so long that another one took over.

    `part`: it did what there was time for, gave way to other jobs, and is due again at once.
    """

    DONE = "done"
    PART = "part"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


class Job(models.Model):
    """One job of upkeep, the same for all processes of the site.

    `holder` is the process that is at it, until `locked_until`, which it moves on; empty and null while nobody is.
    `due_at` is when it is next to be done, null at once; a job that is made due by that while it runs is done
    once more. `failures_in_a_row` make the pause longer.
    """

    name = models.CharField(max_length=MAX_JOB_CHARACTERS, primary_key=True)
    holder = models.CharField(max_length=100, blank=True)
    locked_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField("next run", null=True, blank=True)
    started_at = models.DateTimeField("last start", null=True, blank=True)
    succeeded_at = models.DateTimeField("last success", null=True, blank=True)
    failed_at = models.DateTimeField("last failure", null=True, blank=True)
    seconds = models.FloatField("duration", null=True, blank=True, help_text="Of the last run, in seconds.")
    failures = models.PositiveBigIntegerField(default=0)
    failures_in_a_row = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class JobRun(models.Model):
    """One run of a job that did something, or failed; only the last ones of each job are kept."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs", db_index=False)
    outcome = models.CharField(max_length=7, choices=RunOutcome.choices)
    holder = models.CharField("process", max_length=100)
    started_at = models.DateTimeField()
    seconds = models.FloatField("duration", null=True, blank=True)
    counts = models.JSONField(default=dict)
    error = models.CharField(max_length=MAX_ERROR_CHARACTERS, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["job", "-id"], name="run_of_job")]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.started_at:%Y-%m-%d %H:%M:%S}: {self.outcome}"


class DamagedLog(models.Model):
    """A log whose files a check found not to be what they should be; gone once a check finds nothing."""

    log = models.OneToOneField(LogFile, on_delete=models.CASCADE, primary_key=True, related_name="damage")
    found_at = models.DateTimeField()
    detail = models.CharField(max_length=MAX_DAMAGE_CHARACTERS)

    class Meta:
        ordering = ["-found_at"]

    def __str__(self) -> str:
        return str(self.log)


class RetentionTally(models.Model):
    """What retention deleted of a project and the audit log does not say yet.

    Raised in the transaction of each deletion, and made into one entry of the audit log at the end of a run; one that
    was killed leaves it to the next, so that the audit log is complete and does not grow as fast as the logs.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    builds = models.PositiveBigIntegerField(default=0)
    logs = models.PositiveBigIntegerField(default=0)
    stored_bytes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.builds} builds of {self.project}"
