"""Runs scripts on a node of either kind; finds scripts, transcripts, masks and explanations in scripts/."""
import pathlib

from harness.codec import Catalog
from harness.node import Node

from . import transcript
from .language import Script, ScriptError
from .render import Masks
from .session import Session

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "scripts"
# Features whose semantics are not all in Moldau are at level 0 on both.
LEVELS = [word for feature in ("transaction.version", "group.version", "share.version", "streams.version")
          for word in ("--feature", f"{feature}=0")]
# Timestamps of the scripts lie in the past; nothing may be deleted because of it.
PROPERTIES = {"log.retention.ms": -1, "offsets.topic.num.partitions": 3, "log.segment.delete.delay.ms": 600000}


def scripts(names=()):
    """The scripts with these names, or all."""
    found = sorted(FOLDER.glob("*.script"))
    return [Script(path.stem, path.read_text()) for path in found if not names or path.stem in names]


def golden_path(script):
    return FOLDER / "golden" / f"{script.name}.txt"


def golden(script):
    return transcript.read(golden_path(script).read_text())


def explanations():
    return transcript.Explanations((FOLDER / "differences.txt").read_text())


def masks():
    return Masks((FOLDER / "masks.txt").read_text())


def new_node(server, properties=None):
    """A formatted node that is not started, alike on both kinds."""
    node = Node({**PROPERTIES, **(properties or {})}, server=server)
    done = node.format(*(LEVELS if server == "kafka" else ()))
    if done.returncode != 0:
        raise RuntimeError(f"format: {done.stdout}{done.stderr}")
    return node


def run(script, server, catalog=None):
    """The transcript of one script on a fresh node: entries."""
    node = new_node(server, script.properties)
    try:
        node.start()
        return Session(node, script, catalog or Catalog(), masks()).run()
    except ScriptError as error:
        raise error if node.is_running() else RuntimeError(f"{error}\nthe node ended:\n{node.tail()}") from None
    finally:
        node.close()
