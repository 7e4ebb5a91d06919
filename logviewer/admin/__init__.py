"""Django's admin for the nouns. It holds no logic of its own."""

from django.contrib import admin

from logviewer.admin.build import BuildAdmin, StepAdmin
from logviewer.admin.job import DamagedLogAdmin, JobAdmin, JobRunAdmin
from logviewer.admin.logfile import LogFileAdmin
from logviewer.admin.project import BuilderAdmin, ProjectAdmin
from logviewer.admin.token import TokenAdmin

__all__ = [
    "BuildAdmin",
    "BuilderAdmin",
    "DamagedLogAdmin",
    "JobAdmin",
    "JobRunAdmin",
    "LogFileAdmin",
    "ProjectAdmin",
    "StepAdmin",
    "TokenAdmin",
]

admin.site.site_header = admin.site.site_title = "buildlogs"
