"""Members: which users and groups may do what in a project."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils import timezone

from logviewer.models.project import Project


class Role(models.TextChoices):
    """What a member may: each may all that the one before may."""

    VIEWER = "viewer", "viewer: reads"
    WRITER = "writer", "writer: reads and writes"
    ADMIN = "admin", "admin: everything in it"


class Member(models.Model):
    """A user, or everybody in a group, with a role in a project; who is a member twice has the greater role."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships"
    )
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["project__slug", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True) | Q(user__isnull=True, group__isnull=False),
                name="member_user_or_group",
                violation_error_message="Choose a user or a group: one of the two.",
            ),
            models.UniqueConstraint(fields=["project", "user"], name="member_user_once"),
            models.UniqueConstraint(fields=["project", "group"], name="member_group_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"

    @property
    def name(self) -> str:
        """The user's name, or `group NAME`."""
        if self.user is not None:
            return self.user.get_username()
        return f"group {self.group.name}" if self.group is not None else "nobody"
