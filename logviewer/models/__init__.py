"""The nouns: projects, builders, builds, steps, log files and what was found in them, members, tokens, webhooks.

The database knows of logs, it never holds their bytes; sizes and states of logs kept here are a cache of the chunk
store's index. Changes of state go through `states`; creating and finishing is intake's business.
"""

from logviewer.models.audit import SERVER, Act, Actor, AuditEntry
from logviewer.models.build import Build, Step
from logviewer.models.inspection import Annotation, Fold, Inspection
from logviewer.models.job import DamagedLog, Job, JobRun, RetentionTally, RunOutcome
from logviewer.models.listening import ListeningTime
from logviewer.models.logfile import LogFile
from logviewer.models.member import Member, Role
from logviewer.models.project import Builder, Project
from logviewer.models.redaction import Redaction
from logviewer.models.sign_in import SignInBucket
from logviewer.models.states import (
    BuildState,
    Completeness,
    IllegalTransition,
    Level,
    LogForm,
    LogState,
    LogType,
    Results,
    StepState,
    Visibility,
)
from logviewer.models.survey import StorageSurvey
from logviewer.models.token import Token, TokenScope
from logviewer.models.webhook import Delivery, DeliveryState, Webhook, WebhookEvent

__all__ = [
    "SERVER",
    "Act",
    "Actor",
    "Annotation",
    "AuditEntry",
    "Build",
    "BuildState",
    "Builder",
    "Completeness",
    "DamagedLog",
    "Delivery",
    "DeliveryState",
    "Fold",
    "IllegalTransition",
    "Inspection",
    "Job",
    "JobRun",
    "Level",
    "ListeningTime",
    "LogFile",
    "LogForm",
    "LogState",
    "LogType",
    "Member",
    "Project",
    "Redaction",
    "Results",
    "RetentionTally",
    "Role",
    "RunOutcome",
    "SignInBucket",
    "Step",
    "StepState",
    "StorageSurvey",
    "Token",
    "TokenScope",
    "Visibility",
    "Webhook",
    "WebhookEvent",
]
