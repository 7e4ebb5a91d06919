"""Django's admin for the nouns. It holds no logic of its own."""

from django.contrib import admin

from logviewer.admin.build import BuildAdmin, StepAdmin
from logviewer.admin.logfile import LogFileAdmin
from logviewer.admin.member import MemberAdmin
from logviewer.admin.oidc import take_away
from logviewer.admin.project import BuilderAdmin, ProjectAdmin
from logviewer.admin.token import TokenAdmin
from logviewer.admin.webhook import DeliveryAdmin, WebhookAdmin

__all__ = [
    "BuildAdmin",
    "BuilderAdmin",
    "DeliveryAdmin",
    "LogFileAdmin",
    "MemberAdmin",
    "ProjectAdmin",
    "StepAdmin",
    "TokenAdmin",
    "WebhookAdmin",
]

admin.site.site_header = admin.site.site_title = "buildlogs"
take_away()
