"""Runs classes of the released Apache Kafka."""
import os
import pathlib
import subprocess
import tempfile

from . import settings

MAIN_CLASSES = {
    "client-compatibility-test": "org.apache.kafka.tools.ClientCompatibilityTest",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-metadata-shell": "org.apache.kafka.shell.MetadataShell",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-server-start": "kafka.Kafka",
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}
# Those that an older Kafka has elsewhere.
OLDER_CLASSES = {("kafka-4.1", "kafka-dump-log"): "kafka.tools.DumpLogSegments"}

_LOGGING = """Configuration:
  Appenders:
    Console:
      name: OUT
      target: {target}
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: {level}
      AppenderRef:
        - ref: OUT
"""
_logging_files = {}


def _logging_file(target, level):
    """A log4j2 file, made once: servers log INFO to stdout, tools WARN to stderr."""
    if (target, level) not in _logging_files:
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="moldau-log4j2-")
        file.write(_LOGGING.format(target=target, level=level))
        file.flush()
        _logging_files[target, level] = file
    return _logging_files[target, level].name


def command(tool, *arguments, heap="256m", server=False, kafka="kafka"):
    """The command line that runs one of the tools of that Kafka (settings.KAFKAS)."""
    log = _logging_file("SYSTEM_OUT", "INFO") if server else _logging_file("SYSTEM_ERR", "WARN")
    return ["java", f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
            f"-Dlog4j2.configurationFile={log}", "-cp", f"{jar_folder(kafka)}/*",
            OLDER_CLASSES.get((kafka, tool), MAIN_CLASSES[tool]), *map(str, arguments)]


def run(tool, *arguments, stdin=None, timeout=120, kafka="kafka"):
    """Runs the tool to its end: CompletedProcess with text output."""
    return subprocess.run(command(tool, *arguments, kafka=kafka), input=stdin, capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, "LC_ALL": "C.UTF-8"})


def start(tool, *arguments, **popen):
    """Starts the tool: Popen with text pipes."""
    return subprocess.Popen(command(tool, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **popen)


def jar_folder(kafka="kafka") -> pathlib.Path:
    return settings.KAFKAS[kafka]
