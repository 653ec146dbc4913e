"""What this run tests, set once by run.py."""
import pathlib
import shutil

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
# The released Apache Kafka, the judge of the tests, and an older one.
KAFKAS = {"kafka": HERE / "target" / "jars", "kafka-4.1": HERE / "target" / "jars-4.1"}

server = "moldau"
moldau = next((path for path in (ROOT / "build/dev/apps/moldau/moldau",
                                 ROOT / "build/release/apps/moldau/moldau") if path.exists()),
              ROOT / "build/dev/apps/moldau/moldau")


def is_sanitized():
    """The program is built under a sanitizer, with whose memory its own limits cannot be kept."""
    return server == "moldau" and not {"asan", "tsan"}.isdisjoint(moldau.parts)


def have_kafka(which="kafka"):
    return shutil.which("java") is not None and (KAFKAS[which] / ".complete").exists()


def why_not_runnable():
    """The reason why no test of this run can work, or None."""
    if server == "kafka" and not have_kafka():
        return "Kafka's jars or java are missing (tests/conformance/prepare.py jars)"
    if server == "moldau" and not moldau.exists():
        return f"{moldau} is not built"
    return None
