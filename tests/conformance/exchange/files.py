"""The files of a data directory by name: which every server knows, which only Moldau; and what Kafka's dump tool
says of them."""
import re

from harness import java

ROOT = "."
_UUID = r"[0-9a-f]{32}"
_OFFSET = r"\d{20}"
# Where a file may be: in the directory itself, in the metadata log, in a partition.
KAFKAS = {
    ROOT: r"meta\.properties|\.lock|\.kafka_cleanshutdown|bootstrap\.checkpoint"
          r"|(recovery-point|log-start|replication|cleaner)-offset-checkpoint",
    "metadata": rf"{_OFFSET}\.(log|index|timeindex|snapshot|txnindex)|leader-epoch-checkpoint"
                rf"|partition\.metadata|quorum-state|{_OFFSET}-\d{{10}}\.checkpoint",
    "partition": rf"{_OFFSET}\.(log|index|timeindex|snapshot|txnindex)(\.deleted)?|leader-epoch-checkpoint"
                 r"|partition\.metadata",
}
# What a killed server may leave half done, and the next one clears.
HALF_DONE = {
    ROOT: r".+-checkpoint\.tmp|meta\.properties\.tmp|\.kafka_cleanshutdown\.tmp",
    "metadata": rf".+\.checkpoint\.(part|deleted)|quorum-state\.tmp|.+\.tmp",
    "partition": r".+\.(cleaned|swap)|.+\.tmp",
}
MOLDAUS = {ROOT: r"moldau-journal-\d{8}\.log"}
JOURNALS = "moldau-journal-*"


def _kind(directory):
    if directory == ROOT:
        return ROOT
    return "metadata" if directory == "__cluster_metadata-0" else "partition"


def names(log_dir):
    """(directory, file) of everything."""
    found = []
    for path in sorted(log_dir.rglob("*")):
        if path.is_file():
            found.append((str(path.parent.relative_to(log_dir)), path.name))
    return found


def unknown(log_dir, topics, *allowed):
    """The files that no pattern of `allowed` knows, and the directories of no topic."""
    bad = []
    for directory, name in names(log_dir):
        patterns = [known[_kind(directory)] for known in allowed if _kind(directory) in known]
        if not any(re.fullmatch(pattern, name) for pattern in patterns):
            bad.append(f"{directory}/{name}")
    for path in log_dir.iterdir():
        if path.is_dir() and path.name != "__cluster_metadata-0":
            live = re.fullmatch(r"(.+)-(\d+)", path.name)
            dying = re.fullmatch(rf".+-\d+\.{_UUID}-delete", path.name)
            if not dying and not (live and live[1] in topics and int(live[2]) < topics[live[1]][1]):
                bad.append(path.name)
    return bad


def _dump(kafka, files, *options):
    done = java.run("kafka-dump-log", "--files", ",".join(map(str, files)), *options, kafka=kafka)
    bad = re.findall(r".*(?:Mismatches|Found timestamp mismatch|isvalid: false|out of order|corrupt|Could not).*",
                     done.stdout)
    # Compaction leaves gaps; nothing else may.
    errors = re.sub(r"Non-consecutive offsets in \S+/(squeezed|__consumer_offsets)-\d+/.*\n(  .*\n)+", "", done.stderr)
    assert done.returncode == 0 and not bad and not errors.strip(), f"{options}: {bad[:5]}\n{errors}"
    return done.stdout


def dump(log_dirs, kafka):
    """Kafka's tool over every file it reads; what it prints of the records."""
    files = [log_dir / directory / name for log_dir in log_dirs for directory, name in names(log_dir)
             if directory != ROOT and not directory.endswith("-delete")
             and name.endswith((".log", ".index", ".timeindex", ".snapshot", ".checkpoint"))]
    return _dump(kafka, files, "--deep-iteration", "--index-sanity-check")


def dump_groups(log_dirs, kafka):
    files = [file for log_dir in log_dirs for file in sorted(log_dir.glob("__consumer_offsets-*/*.log"))]
    return _dump(kafka, files, "--offsets-decoder")


def dump_metadata(log_dir, kafka):
    folder = log_dir / "__cluster_metadata-0"
    return _dump(kafka, sorted((*folder.glob("*.log"), *folder.glob("*.checkpoint"))), "--cluster-metadata-decoder")
