"""The settings of a test run: those of a fresh installation, with data of its own and no key.

Only what has to differ stands here, so that tests run what people run.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_PARENT = Path(os.environ.get("STET_TEST_VAR") or Path(__file__).resolve().parent.parent / "var" / "test")
_PARENT.mkdir(parents=True, exist_ok=True)
# One per process, so that two test runs in one checkout do not drop each other's database.
TEST_VAR_DIR = Path(tempfile.mkdtemp(prefix="run-", dir=_PARENT))
atexit.register(shutil.rmtree, TEST_VAR_DIR, ignore_errors=True)

os.environ["STET_VAR"] = str(TEST_VAR_DIR)
# Nobody's real key may be used by accident, nor a .env of theirs change what is tested.
KEPT = {"STET_VAR", "STET_LOG_LEVEL"} | {name for name in os.environ if name.startswith("STET_TEST_")}
LIVE_KEYS = {name: os.environ.pop(name) for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY") if name in os.environ}
"""For tests marked `live`, which hand them to an adapter themselves."""
for name in [*os.environ]:
    foreign = name in {
        "DATABASE_URL",
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "REDIS_URL",
        "HOST",
        "PORT",
        "ALLOWED_HOSTS",
    }
    if foreign or (name.startswith("STET_") and name not in KEPT):
        del os.environ[name]
if ON_POSTGRES := os.environ.get("STET_TEST_ON_POSTGRES") == "1":
    os.environ["DATABASE_URL"] = os.environ["STET_TEST_POSTGRES_URL"]
os.environ["STET_SIMULATOR"] = "off"  # tests start the simulator themselves (fixture `simulator`)

from chatapp.settings import *  # noqa: E402, F403
from chatapp.settings import DATABASES  # noqa: E402

if not ON_POSTGRES:
    # A file, because tests with threads and tasks need several connections to the same database.
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_VAR_DIR / "test.sqlite3")}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one is slow on purpose
