"""One combined broker and controller in a directory of its own: Moldau, or a released Apache Kafka."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import java, settings
from .ports import free_port

READY_SECONDS = 60
STOP_SECONDS = 40
# For Kafka's kafka-storage: level 0 for every feature whose records Moldau does not serve yet.
SHARED_FEATURES = [word for feature in ("transaction.version", "group.version", "share.version", "streams.version")
                   for word in ("--feature", f"{feature}=0")]


class NodeFailed(Exception):
    """The node ended, or did not become ready; the message holds the end of its output."""


class Node:
    """Start, stop, kill and restart on one directory and one pair of ports.

    with Node(properties={"num.partitions": 3}) as node: ...
    """

    def __init__(self, properties=None, server=None, directory=None, version_3=False):
        self.server = server or settings.server
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="moldau-conformance-"))
        self.owns_directory = directory is None
        self.port, self.controller_port = free_port(), free_port()
        self.version_3 = version_3
        self.extra = dict(properties or {})
        self.process = None
        self.output = []
        self.seconds_to_ready = None
        self._reader = None

    @property
    def bootstrap(self):
        return f"localhost:{self.port}"

    @property
    def controller_bootstrap(self):
        return f"localhost:{self.controller_port}"

    @property
    def properties_file(self):
        return self.directory / "server.properties"

    @property
    def log_dirs(self):
        return [pathlib.Path(path) for path in self.properties()["log.dirs"].split(",")]

    @property
    def log_dir(self):
        """The first of them, which holds the metadata log."""
        return self.log_dirs[0]

    def properties(self):
        quorum = ({"controller.quorum.voters": f"1@localhost:{self.controller_port}"} if self.version_3
                  else {"controller.quorum.bootstrap.servers": f"localhost:{self.controller_port}"})
        advertised = f"PLAINTEXT://localhost:{self.port}"
        if not self.version_3:
            advertised += f",CONTROLLER://localhost:{self.controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            **quorum,
            "listeners": f"PLAINTEXT://localhost:{self.port},CONTROLLER://localhost:{self.controller_port}",
            "advertised.listeners": advertised,
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.directory / "logs"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            **{key: str(value) for key, value in self.extra.items()},
        }

    def write_properties(self):
        lines = [f"{key}={value}" for key, value in self.properties().items()]
        self.properties_file.write_text("\n".join(lines) + "\n")

    def command(self, tool, *arguments):
        """The command line of one of this node's own tools."""
        if self.server in settings.KAFKAS:
            server = tool == "kafka-server-start"
            return java.command(tool, *arguments, heap="1g" if server else "256m", server=server,
                                kafka=self.server)
        return [str(settings.moldau), tool, *map(str, arguments)]

    def script(self, name, *arguments):
        """The command line of bin/NAME, as a tutorial types it: (words, environment)."""
        if self.server in settings.KAFKAS:
            return self.command(name.removesuffix(".sh"), *arguments), environment()
        return ([str(settings.ROOT / "bin" / name), *map(str, arguments)],
                {**environment(), "MOLDAU_BINARY": str(settings.moldau)})

    def tool(self, tool, *arguments, stdin=None, timeout=60, check=False):
        """Runs one of this node's own tools to its end."""
        done = subprocess.run(self.command(tool, *arguments), input=stdin, capture_output=True, text=True,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{tool} {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def is_formatted(self):
        return (self.log_dir / "meta.properties").exists()

    def format(self, *arguments, cluster_id="moldauConformanceTest0"):
        self.write_properties()
        form = [] if self.version_3 else ["--standalone"]
        return self.tool("kafka-storage", "format", "-t", cluster_id, "-c", self.properties_file, *form,
                         *arguments)

    def spawn(self, *arguments):
        """Starts the process without waiting."""
        self.output = []
        self.process = subprocess.Popen(
            self.command("kafka-server-start", self.properties_file, *arguments), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process):
        for line in process.stdout:
            self.output.append(line.rstrip("\n"))

    def start(self):
        if not self.is_formatted():
            done = self.format()
            if done.returncode != 0:
                raise NodeFailed(f"format: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        self.write_properties()
        began = time.monotonic()
        self.spawn()
        self.wait_ready()
        self.seconds_to_ready = time.monotonic() - began
        return self

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self._reader.join(5)
                raise NodeFailed(f"ended with {self.process.returncode} before it was ready:\n{self.tail()}")
            if any("Kafka Server started" in line for line in self.output):
                with socket.create_connection(("localhost", self.port), timeout=5):
                    return
            time.sleep(0.01)
        raise NodeFailed(f"not ready after {READY_SECONDS} s:\n{self.tail()}")

    def wait_exit(self, seconds=STOP_SECONDS):
        """Waits for the process to end by itself: its exit code."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def tail(self, lines=40):
        return "\n".join(self.output[-lines:])

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """A clean stop: its exit code."""
        if not self.is_running():
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.wait_exit()
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeFailed(f"did not stop within {STOP_SECONDS} s:\n{self.tail()}") from None

    def kill(self):
        """kill -9."""
        if self.is_running():
            self.process.kill()
            self.process.wait()
            self._reader.join(5)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        self.kill()
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()


def wait_until(condition, seconds=30, what="condition"):
    """Polls until the condition gives something true, and returns it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def environment():
    return {**os.environ, "LC_ALL": "C.UTF-8"}
