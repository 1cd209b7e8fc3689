"""Every setting, once. Each is read from the environment by one of three small readers.

With nothing set, Stet runs on SQLite under `var/`, on loopback, with the simulator. The table in
README.md lists the variables; a test keeps both equal.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """The variable's text, stripped; `default` where it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def env_int(name: str, default: int, least: int = 0) -> int:
    """The variable as a whole number of at least `least`."""
    text = env(name)
    try:
        value = int(text) if text else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}.") from None
    if value < least:
        raise ImproperlyConfigured(f"{name} must be at least {least}, not {value}.")
    return value


def env_list(name: str, default: str = "") -> list[str]:
    """The variable split at commas, blanks left out."""
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


# --- Where things lie -------------------------------------------------------------------------
VAR_DIR = Path(env("STET_VAR", str(BASE_DIR / "var")))
"""Everything that Stet writes: the SQLite database, the secret key, benchmark and test output."""


try:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"STET_VAR names {VAR_DIR}, which cannot be made: {error.strerror}.") from None


def _secret_key() -> str:
    """SECRET_KEY, or one made on first start and kept in var/secret_key, readable by its owner only."""
    if given := env("SECRET_KEY"):
        return given
    path = VAR_DIR / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    made = secrets.token_urlsafe(50)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was quicker
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"STET_VAR names {VAR_DIR}, which cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "w") as file:
        file.write(made + "\n")
    return made


SECRET_KEY = _secret_key()
DEBUG = env("STET_DEBUG") == "1"
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")

# --- Providers --------------------------------------------------------------------------------
OPENAI_API_KEY = env("OPENAI_API_KEY")
OPENAI_BASE_URL = env("OPENAI_BASE_URL")
ANTHROPIC_API_KEY = env("ANTHROPIC_API_KEY")
ANTHROPIC_BASE_URL = env("ANTHROPIC_BASE_URL")
STET_PROVIDER_TIMEOUT_SECONDS = env_int("STET_PROVIDER_TIMEOUT_SECONDS", 120, least=1)
STET_MAX_ATTEMPTS = env_int("STET_MAX_ATTEMPTS", 3, least=1)
STET_SIMULATOR = env("STET_SIMULATOR", "auto")
"""auto: simulate when no key and no base URL is set; on: always; off: never."""
if STET_SIMULATOR not in {"auto", "on", "off"}:
    raise ImproperlyConfigured(f"STET_SIMULATOR must be auto, on or off, not {STET_SIMULATOR!r}.")

# --- Limits -----------------------------------------------------------------------------------
STET_MAX_MESSAGE_CHARS = env_int("STET_MAX_MESSAGE_CHARS", 200_000, least=1)
STET_MAX_FRAME_BYTES = env_int("STET_MAX_FRAME_BYTES", 256 * 1024, least=1024)
STET_MESSAGES_PER_MINUTE = env_int("STET_MESSAGES_PER_MINUTE", 30, least=1)
STET_MAX_OUTPUT_TOKENS = env_int("STET_MAX_OUTPUT_TOKENS", 8_000, least=16)

DATA_UPLOAD_MAX_MEMORY_SIZE = max(2_500_000, 4 * STET_MAX_MESSAGE_CHARS + 100_000)
"""Bytes of a posted form: room for the longest message, so that a longer one gets our sentence."""

# --- The runtime ------------------------------------------------------------------------------
HOST = env("HOST", "127.0.0.1")
PORT = env_int("PORT", 8000)
if PORT > 65_535:
    raise ImproperlyConfigured(f"PORT must be at most 65535, not {PORT}.")
STET_DRAIN_SECONDS = env_int("STET_DRAIN_SECONDS", 20)
STET_LEASE_SECONDS = env_int("STET_LEASE_SECONDS", 15, least=1)

# --- Django -----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",  # first, so that its runserver, which speaks WebSocket, replaces Django's
    "chatapp.apps.ChatConfig",
    "sessions_store.apps.SessionsStoreConfig",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",  # early, so that every refusal below has the policy too
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "chatapp.admin_policy.AdminPolicyMiddleware",
]
ROOT_URLCONF = "chatapp.urls"
ASGI_APPLICATION = "chatapp.asgi.application"
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
        },
    },
]


def _database() -> dict[str, object]:
    """DATABASE_URL (postgres://user:password@host:port/name), or SQLite under var/."""
    url = env("DATABASE_URL")
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR_DIR / "stet.sqlite3",
            "OPTIONS": {
                # Writers wait for each other instead of failing half-way through a transaction.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must look like postgres://user:password@host:5432/name.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"pool": {"min_size": 2, "max_size": env_int("STET_POOL_SIZE", 16, least=4), "timeout": 20}},
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "sessions_store.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"

REDIS_URL = env("REDIS_URL")
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = env("TIME_ZONE", "UTC")
if TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured(f"TIME_ZONE must be a name such as Europe/Vienna, not {TIME_ZONE!r}.")
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic step stands between a clone and a running page
WHITENOISE_AUTOREFRESH = DEBUG

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env("STET_HTTPS") == "1"
if SESSION_COOKIE_SECURE:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
ADMIN_CONTENT_SECURITY_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
"""What /admin/ alone may do beyond the policy of the pages: unfold's Alpine.js evaluates expressions."""

UNFOLD = {
    "SITE_TITLE": "Stet",
    "SITE_HEADER": "Stet",
    "SITE_URL": "/",
    "SHOW_BACK_BUTTON": True,
    "SITE_SYMBOL": "ink_pen",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": f"/{STATIC_URL}favicon.svg"}],
    "COLORS": {
        # The blue pencil of static/css/tokens.css, lighter and darker.
        "primary": {
            "50": "#f0f5fc",
            "100": "#dfe9f8",
            "200": "#c5d8f3",
            "300": "#93b9f0",
            "400": "#78a5e8",
            "500": "#5f8fd8",
            "600": "#1b4c94",
            "700": "#184483",
            "800": "#153a6f",
            "900": "#11305c",
            "950": "#0b1f3d",
        }
    },
}

LOG_LEVEL = env("STET_LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
    raise ImproperlyConfigured(f"STET_LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {LOG_LEVEL!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"chatapp": {"level": LOG_LEVEL}},
}
