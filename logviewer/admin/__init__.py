"""Django's admin as a log keeper's desk: lists, acts, the dashboard, the audit log. It holds no logic of its own."""

from django.contrib import admin

from logviewer.admin.audit import AuditEntryAdmin
from logviewer.admin.build import BuildAdmin, StepAdmin
from logviewer.admin.job import DamagedLogAdmin, JobAdmin, JobRunAdmin
from logviewer.admin.logfile import LogFileAdmin
from logviewer.admin.member import MemberAdmin
from logviewer.admin.oidc import take_away
from logviewer.admin.project import BuilderAdmin, ProjectAdmin
from logviewer.admin.storage import storage
from logviewer.admin.token import TokenAdmin
from logviewer.admin.webhook import DeliveryAdmin, WebhookAdmin

__all__ = [
    "AuditEntryAdmin",
    "BuildAdmin",
    "BuilderAdmin",
    "DamagedLogAdmin",
    "DeliveryAdmin",
    "JobAdmin",
    "JobRunAdmin",
    "LogFileAdmin",
    "MemberAdmin",
    "ProjectAdmin",
    "StepAdmin",
    "TokenAdmin",
    "WebhookAdmin",
    "storage",
]

admin.site.site_header = admin.site.site_title = "buildlogs"
admin.site.enable_nav_sidebar = False  # the lists need the room; the way to each stands in the header
take_away()
