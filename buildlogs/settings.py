"""Django's settings: read from the environment (see docs/configuration.md), fixed where nobody needs to choose."""

from pathlib import Path
from typing import Any

from buildlogs.env import Environment
from buildlogs.layer import redis_patience

BASE_DIR = Path(__file__).resolve().parent.parent
environment = Environment()

DEBUG = environment.flag("BUILDLOGS_DEBUG", default=False)
DATA_DIR = environment.directory("BUILDLOGS_DATA_DIR", BASE_DIR / "data")
SECRET_KEY = environment.secret_key("BUILDLOGS_SECRET_KEY", DATA_DIR, debug=DEBUG)
ALLOWED_HOSTS = environment.hosts("BUILDLOGS_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = environment.origins("BUILDLOGS_TRUSTED_ORIGINS")
BEHIND_HTTPS = environment.flag("BUILDLOGS_HTTPS", default=False)
REDIS_URL = environment.redis("REDIS_URL")
TRUSTED_PROXIES = environment.networks("BUILDLOGS_TRUSTED_PROXIES")
PUBLIC_URL = environment.origin("BUILDLOGS_PUBLIC_URL")  # of this site, for links that leave it

# Signing in by OpenID Connect, beside passwords, where there is a provider.
OIDC_ISSUER = environment.issuer("BUILDLOGS_OIDC_ISSUER")
OIDC_CLIENT_ID = environment.text("BUILDLOGS_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = environment.text("BUILDLOGS_OIDC_CLIENT_SECRET")
OIDC_NAME = environment.text("BUILDLOGS_OIDC_NAME", "OpenID Connect")
OIDC = environment.together(["BUILDLOGS_OIDC_ISSUER", "BUILDLOGS_OIDC_CLIENT_ID", "BUILDLOGS_OIDC_CLIENT_SECRET"])
# Where nginx has the logs' files, for downloads that it sends itself; empty where it does not.
ACCEL_PREFIX = environment.location("BUILDLOGS_ACCEL_PREFIX")

# What one token, and one address, may send to one process in a second; 0 is no limit.
MAX_REQUESTS_PER_SECOND = environment.number("BUILDLOGS_MAX_REQUESTS_PER_SECOND", 5000, least=0, most=10**9)
MAX_UPLOAD_BYTES_PER_SECOND = environment.number("BUILDLOGS_MAX_UPLOAD_BYTES_PER_SECOND", 2**31, least=0, most=10**15)

# The chunk store.
BUILDLOGS_FSYNC = environment.choice("BUILDLOGS_FSYNC", "interval", ["never", "interval", "always"])
# How much of a log's output is kept, from its beginning (0 is all of it) and from its end; a project may say otherwise.
MAX_LOG_BYTES = environment.number("BUILDLOGS_MAX_LOG_BYTES", 256 * 2**20, least=0, most=2**50)
MAX_TAIL_BYTES = environment.number("BUILDLOGS_MAX_TAIL_BYTES", 2**20, least=0, most=64 * 2**20)
LOGS_DIR = DATA_DIR / "logs"
LOG_STORE = environment.log_store(
    "BUILDLOGS_LOG_STORE",
    LOGS_DIR,
    environment.address("BUILDLOGS_S3_ENDPOINT"),
    environment.text("BUILDLOGS_S3_REGION") or None,
)
UPKEEP_IN_SERVER = environment.flag("BUILDLOGS_UPKEEP_IN_SERVER", default=True)
# How long after a process that did a job of upkeep was killed another one may take it over.
UPKEEP_LEASE_SECONDS = environment.number("BUILDLOGS_UPKEEP_LEASE", 60, least=2, most=3600)
RETENTION_INTERVAL_SECONDS = environment.number("BUILDLOGS_RETENTION_INTERVAL", 3600, least=1, most=10**6)
VERIFY_SAMPLES = environment.number("BUILDLOGS_VERIFY_SAMPLES", 20, least=0, most=10**6)  # sealed logs a day
INSIGHT_IN_SERVER = environment.flag("BUILDLOGS_INSIGHT_IN_SERVER", default=True)
WEBHOOKS_IN_SERVER = environment.flag("BUILDLOGS_WEBHOOKS_IN_SERVER", default=True)
WEBHOOK_ALLOW = environment.networks("BUILDLOGS_WEBHOOK_ALLOW")  # inside the network, and yet to be told
# A build whose writer was not heard for so many seconds is shown as abandoned; a day later it is finished.
ABANDON_AFTER_SECONDS = environment.number("BUILDLOGS_ABANDON_AFTER", 3600, least=1, most=10**8)
LISTENING_TIMES = True  # servers note when they could hear writers
WRITE_BEHIND = True  # counters and the like are written by a thread of their own

DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'buildlogs.sqlite3'}")
}
LOG_LEVEL = environment.choice("BUILDLOGS_LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOG_FORMAT = environment.choice("BUILDLOGS_LOG_FORMAT", "text", ["text", "json"])
ACCESS_LOG = environment.flag("BUILDLOGS_ACCESS_LOG", default=True)
environment.refuse_wrong()

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Readers never wait for the writer, and a transaction takes its lock at the start instead of failing half-way.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
else:  # PostgreSQL; what stands in DATABASE_URL goes first
    # A host that vanished is given up in seconds, not after the kernel's quarter of an hour.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        **DATABASES["default"].get("OPTIONS", {}),
    }

INSTALLED_APPS = [
    "daphne",  # first: its runserver replaces Django's
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "ninja",
    "logviewer",
]
MIDDLEWARE = [
    "logviewer.api.answers.ProblemMiddleware",  # first: errors of the others leave as problems as well
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "logviewer.pages.policy.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "logviewer.pages.away.DatabaseAwayMiddleware",
]
ROOT_URLCONF = "buildlogs.urls"
ASGI_APPLICATION = "buildlogs.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"desk": "logviewer.admin.tags"},
        },
    },
]

CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": REDIS_URL, **redis_patience(REDIS_URL)}], "prefix": "buildlogs"},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "logviewer:login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
if OIDC:  # else nothing of allauth is loaded (ADR 29)
    INSTALLED_APPS[-1:-1] = [  # before our own, whose admin takes some of theirs away
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ]
    MIDDLEWARE.append("allauth.account.middleware.AccountMiddleware")
    ACCOUNT_ADAPTER = "logviewer.pages.oidc.Accounts"
    ACCOUNT_EMAIL_VERIFICATION = SOCIALACCOUNT_EMAIL_VERIFICATION = "none"  # the server sends no mail
    ACCOUNT_UNIQUE_EMAIL = False  # an address is no identity here: nobody becomes somebody else by having theirs
    ACCOUNT_SIGNUP_FIELDS = ["username*"]
    SOCIALACCOUNT_ADAPTER = "logviewer.pages.oidc.OidcAccounts"
    SOCIALACCOUNT_ONLY = True  # passwords are tried at our own form, which counts them
    SOCIALACCOUNT_LOGIN_ON_GET = True  # a form would have to lead off the site, which the policy forbids
    SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "oidc",
                    "name": OIDC_NAME,
                    "client_id": OIDC_CLIENT_ID,
                    "secret": OIDC_CLIENT_SECRET,
                    "settings": {"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
                }
            ],
        }
    }

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "buildlogs.formats"  # times as 2026-11-30 12:15:07 UTC
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").is_file()  # collectstatic was not run
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "buildlogs.static.ModuleManifestStorage"},
}
if LOG_STORE is not None:  # else sealed logs stay in LOGS_DIR
    STORAGES["logs"] = LOG_STORE
if DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_ENGINE = "buildlogs.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_HTTPS
if BEHIND_HTTPS:
    SECURE_HSTS_SECONDS = 31_536_000
    # Neither includeSubDomains nor preload: they bind other hosts of the domain, which are not ours to speak for.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"text": {"()": "buildlogs.logs.TextLines"}, "json": {"()": "buildlogs.logs.JsonLines"}},
    "filters": {"in_one_line": {"()": "buildlogs.logs.InOneLine"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        # Anyone can send a wrong Host; the answer says it, and a traceback each would fill the log.
        "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
        "daphne": {"level": "WARNING"},
        # uvicorn brings handlers of its own, and is asked here to speak as all others do.
        "uvicorn": {"handlers": [], "propagate": True},
        "channels_redis.pubsub": {"filters": ["in_one_line"]},
    },
}
if ACCESS_LOG:
    LOGGING["loggers"] |= {
        # What these say of requests is in the access log, without their query strings.
        "django.request": {"level": "ERROR"},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "uvicorn.error": {"level": "WARNING"},
    }
