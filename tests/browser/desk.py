"""What a log keeper finds on the desk: members, tokens, webhooks and their deliveries, damage, acts of some days."""

from __future__ import annotations

from tests.browser.content import (
    ADMIN,
    BUILDER,
    DAMAGED_BUILDER,
    HOSTILE_BUILDER,
    LIMITED_BUILDER,
    LONG_BUILDER,
    PASSWORD,
)
from tests.browser.site import PRIVATE, PUBLIC, Site

STAFF, MEMBER = "grace", "lin"
"""Of the staff with the right to look and no more; and one who is no staff at all."""

_ADD_PEOPLE = f"""
from datetime import timedelta
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone
from logviewer.models import Actor, Member, Project, Role, Token
from logviewer.upkeep.membership import issue_token, revoke_token, set_member
ada = User.objects.get(username={ADMIN!r})
ada.first_name, ada.last_name, ada.email = "Ada", "Lovelace", "ada@example.org"
ada.save()
grace = User.objects.create_user({STAFF!r}, password={PASSWORD!r}, is_staff=True, last_name="Hopper")
grace.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
lin = User.objects.create_user({MEMBER!r}, password={PASSWORD!r})
team = Group.objects.create(name="release engineering")
lin.groups.add(team)
actor = Actor(ada.username, user_id=ada.pk)
demo, secret = (Project.objects.get(slug=slug) for slug in ({PUBLIC!r}, {PRIVATE!r}))
demo.keep_days, demo.keep_builds, demo.keep_failed_days, demo.max_total_bytes = 90, 20, 365, 200 * 10**9
demo.save()
set_member(actor, demo, Role.ADMIN, user=grace)
set_member(actor, demo, Role.WRITER, group=team)
set_member(actor, secret, Role.VIEWER, user=lin)
now = timezone.now()
issue_token(actor, "nightly builds", project=demo, scopes=["write"], expires_at=now + timedelta(days=90))
old, _ = issue_token(actor, "the old build machines of the second floor", project=demo, scopes=["write", "read"])
revoke_token(actor, old)
late, _ = issue_token(actor, "trial", project=secret, scopes=["read"], expires_at=now + timedelta(seconds=1))
Token.objects.filter(pk=late.pk).update(expires_at=now - timedelta(days=3))
"""

# No delivery is due while the pictures are taken: nothing is sent anywhere.
_ADD_DELIVERIES = f"""
from datetime import timedelta
from django.utils import timezone
from logviewer.models import Actor, Build, Delivery, DeliveryState, Project, WebhookEvent
from logviewer.webhooks.delivering import GONE_WHY
from logviewer.webhooks.payload import body_of, facts_of
from logviewer.webhooks.registry import create_webhook
project = Project.objects.get(slug={PUBLIC!r})
actor = Actor({ADMIN!r})
url = "https://hooks.chat.example/buildlogs/4f0c1e5a9b7d"
chat = create_webhook(project, url, [WebhookEvent.BUILD_FINISHED], actor)
bills = create_webhook(project, "https://bills.example/" + "a" * 180, list(WebhookEvent), actor)
bills.active, bills.inactive_why = False, GONE_WHY
bills.save()
now = timezone.now()
refused = "the receiver answered 503 (Service Unavailable)"
silent = "no answer within 10 s, and none to the twenty attempts before"
over = [(DeliveryState.DELIVERED, 1, 204, "", 84), (DeliveryState.DELIVERED, 3, 200, "", 1240),
        (DeliveryState.WAITING, 6, 503, refused, 112), (DeliveryState.GIVEN_UP, 21, None, silent, 10_000),
        (DeliveryState.GIVEN_UP, 1, 410, GONE_WHY, 61)]
builds = Build.objects.filter(builder__slug={BUILDER!r}, state="finished").select_related("builder__project")
for place, (build, (state, attempts, status, why, took)) in enumerate(zip(builds.order_by("pk"), over)):
    at = now - timedelta(hours=7 * place, minutes=3)
    delivery = Delivery(
        webhook=bills if status == 410 else chat, event=WebhookEvent.BUILD_FINISHED, subject_id=build.pk, state=state,
        attempts=attempts, status=status, why=why, duration_ms=took, created_at=at, tried_at=at + timedelta(seconds=9),
        next_try_at=now + timedelta(minutes=40) if state == DeliveryState.WAITING else None,
        give_up_at=now + timedelta(days=1))
    facts = facts_of(WebhookEvent.BUILD_FINISHED, build, build.pk, at)
    delivery.payload = body_of(facts, delivery.name)
    delivery.save()
"""

_DO_ACTS = f"""
from datetime import timedelta
from django.utils import timezone
from logviewer.models import Act, Actor, AuditEntry, Build, Job, JobRun, LogFile, RunOutcome
from logviewer.upkeep.acts import Noun, perform, select
from logviewer.upkeep.redacting import redact_lines
from logviewer.upkeep.samples import check_samples
actor = Actor({ADMIN!r})
def ids(builder):
    return list(Build.objects.filter(builder__slug=builder).order_by("pk").values_list("pk", flat=True)[:2])
reason = "The release of March: an auditor asks for it until 2030, see https://example.org/tickets/4172"
perform(select(Act.PIN, Noun.BUILD, ids({BUILDER!r})), actor, reason)
perform(select(Act.VERIFY, Noun.BUILD, ids({LONG_BUILDER!r})), actor, "the disk was replaced")
perform(select(Act.EXPORT, Noun.BUILD, ids({HOSTILE_BUILDER!r})), actor)
limited = LogFile.objects.get(step__build__builder__slug={LIMITED_BUILDER!r})
redact_lines(limited.pk, 2, 3, actor, "a token was printed")
AuditEntry.objects.filter(act=Act.PIN).update(at=timezone.now() - timedelta(days=2))
check_samples(LogFile.objects.count())
now = timezone.now()
reason = "OSError: [Errno 28] No space left on device: '/var/lib/buildlogs/data/logs/demo/linux-gcc/31/1-compile/stdio'"
JobRun.objects.create(job_id="seal", outcome=RunOutcome.FAILED, holder="logs-2.example.org:4172", started_at=now,
                      seconds=0.31, error=reason)
Job.objects.filter(name="seal").update(failed_at=now, failures=1, failures_in_a_row=1)
"""


def furnish(site: Site) -> None:
    """Put on the desk of a site that is filled what else its log keepers find there."""
    site.run(_ADD_PEOPLE)
    site.run(_ADD_DELIVERIES)
    site.run(_DO_ACTS)
    assert site.run("from logviewer.models import DamagedLog; print(DamagedLog.objects.get())").startswith(
        f"{PUBLIC}/{DAMAGED_BUILDER}/"
    )
