#!/usr/bin/env python3
"""Private servers for tests, demo and bench: a real Kafka, a Redis, the embedded broker and shouwangd itself.

Each runs in a folder of its own, on free ports or a unix socket, and ends with whoever started it (also by kill -9).
As a module: Kafka, Redis, MockBroker, Daemon.  As a program, for ./run:

    servers.py fetch-kafka             brings Kafka's jars into the cache; exit 77 with the reason where it can't
    servers.py serve kafka DIR         prints the address, serves until SIGTERM or the end of its standard input
    servers.py serve redis DIR         likewise; prints the URL
"""

import contextlib
import ctypes
import glob
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
KAFKA_VERSION = "4.1.1"
KAFKA_CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                           "shouwang", "kafka-" + KAFKA_VERSION)
SKIPPED = 77
PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """A server can't be had on this machine; the text says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, seconds, condition):
    """Calls condition until it is true; returns its value.  An error names what was awaited."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {seconds} s")
        time.sleep(0.02)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child with its output in a file."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.log_path = os.path.join(folder, name + ".log")
        self.child = None
        os.makedirs(folder, exist_ok=True)

    def spawn(self, argv, **options):
        with open(self.log_path, "ab") as log:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", log)
            self.child = subprocess.Popen(argv, stderr=log, preexec_fn=die_with_parent, **options)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def must_run(self):
        if not self.running():
            raise RuntimeError(f"{self.name} ended with {self.child.returncode}:\n{self.log()[-4000:]}")

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=30):
        """The exit status; a signal's number negated."""
        return self.child.wait(seconds)

    def kill(self):
        if self.running():
            self.child.kill()
            self.child.wait()

    def stop(self, seconds=20):
        """Ends it by SIGTERM; by SIGKILL where that takes too long.  Returns its exit status."""
        if not self.running():
            return self.child.returncode if self.child else None
        self.child.send_signal(signal.SIGCONT)
        self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.child.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Redis(Process):
    """A Redis on a unix socket that keeps nothing on disk (persist=True: an append-only file)."""

    def __init__(self, folder, persist=False, extra=()):
        super().__init__(folder, "redis")
        self.socket = os.path.join(folder, "redis.sock")
        self.url = "unix://" + self.socket
        self.persist, self.extra, self.password = persist, list(extra), None
        if len(self.socket) > 100:
            raise ValueError("the folder's path is too long for a unix socket: " + folder)

    def start(self):
        if not shutil.which("redis-server"):
            raise Unavailable("redis-server is not installed")
        self.spawn(["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "",
                    "--appendonly", "yes" if self.persist else "no", "--maxmemory-policy", "noeviction",
                    "--daemonize", "no", *(["--requirepass", self.password] if self.password else []), *self.extra])
        wait_until("Redis", 20, lambda: self.must_run() or self.answers())
        return self

    def answers(self):
        try:
            return self.command("PING")[:5] in (b"+PONG", b"-NOAU")
        except OSError:
            return False

    def command(self, *words):
        """Sends one command and returns the first bytes of the raw reply."""
        def send(*command):
            s.sendall(b"*%d\r\n" % len(command) + b"".join(
                b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in command))
            return s.recv(65536)

        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.socket)
            if self.password:
                send("AUTH", self.password)
            return send(*words)


def java_version():
    """The major version of java, or 0."""
    if not shutil.which("java"):
        return 0
    text = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    quoted = text.split('"')[1] if text.count('"') >= 2 else "0"
    return int(quoted.split(".")[0].split("-")[0])


def fetch_kafka():
    """The class path of Kafka, from the cache or by Maven; Unavailable where neither works."""
    lib = os.path.join(KAFKA_CACHE, "lib")
    if java_version() < 17:
        raise Unavailable("Java 17 is not installed")
    if os.path.isdir(lib):
        return os.path.join(lib, "*")
    if not shutil.which("mvn"):
        raise Unavailable("Kafka's jars are not in the cache and Maven is not installed")
    os.makedirs(KAFKA_CACHE, exist_ok=True)
    partial = os.path.join(KAFKA_CACHE, f"lib.{os.getpid()}")
    got = subprocess.run(["mvn", "-q", "-B", "-Dstyle.color=never", "-f", os.path.join(HERE, "kafka-pom.xml"), "dependency:copy-dependencies",
                          "-DoutputDirectory=" + partial, "-Dmdep.overIfNewer=true"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if got.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        first = next((line for line in got.stdout.splitlines() if "ERROR" in line), "no reason given")
        raise Unavailable("Kafka's jars can't be fetched: " + first.strip().split(" -> ")[0][:200])
    try:
        os.rename(partial, lib)
    except OSError:  # another run was faster
        shutil.rmtree(partial, ignore_errors=True)
    return os.path.join(lib, "*")


class Kafka(Process):
    """One broker that is its own controller (KRaft).  start after kill or stop continues with the same data.  short: for a
    minute's work half the time goes into what Java compiles well; let it compile quickly.  beside: the first broker, whose
    cluster it joins as the second; what brokers send it goes through its gate."""

    def __init__(self, folder, properties=None, heap="768m", short=False, beside=None):
        super().__init__(folder, "kafka")
        self.java_options = ["-XX:TieredStopAtLevel=1"] if short else []
        self.port, self.controller = free_port(), beside.controller if beside else free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.gate = Gate(free_port()) if beside else None
        between = self.gate.behind if beside else free_port()
        listeners = f"PLAINTEXT://{self.bootstrap},BETWEEN://127.0.0.1:{between}"
        self.config = os.path.join(folder, "server.properties")
        self.heap = heap
        self.properties = {
            "process.roles": "broker" if beside else "broker,controller",
            "node.id": "2" if beside else "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": listeners if beside else f"{listeners},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap},BETWEEN://127.0.0.1:{self.gate.port if beside else between}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,BETWEEN:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "BETWEEN",
            "log.dirs": os.path.join(folder, "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
            "log.cleaner.dedupe.buffer.size": "16777216",
            **(properties or {}),
        }

    def java(self, heap, *words):
        return ["java", "-Xmx" + heap, "-XX:+UseSerialGC", *self.java_options, "-cp", fetch_kafka(), *words]

    def start(self):
        if not os.path.exists(self.config):
            with open(self.config, "w", encoding="utf-8") as out:
                out.writelines(f"{key}={value}\n" for key, value in self.properties.items())
            format_log = os.path.join(self.folder, "format.log")
            with open(format_log, "wb") as out:
                subprocess.run(self.java("256m", "kafka.tools.StorageTool", "format", "-t", "c2hvdXdhbmctdGVzdC0xMQ",
                                         "-c", self.config), stdout=out, stderr=out, check=True)
        self.spawn(self.java(self.heap, "kafka.Kafka", self.config))
        wait_until("Kafka", 60, lambda: self.must_run() or self.answers())
        return self

    def owed(self, topic):
        """The partitions of the topic whose log here ends with a record of a transaction that has no marker yet."""
        logs = {}
        for path in sorted(glob.glob(os.path.join(glob.escape(self.properties["log.dirs"]), topic + "-*", "*.log"))):
            logs[os.path.dirname(path)] = path  # the last segment of each
        return {int(folder.rpartition("-")[2]) for folder, path in logs.items() if ends_open(path)}

    def answers(self):
        """Does it answer an ApiVersions request?  (It listens a while before it serves.)"""
        request = struct.pack(">hhih", 18, 0, 1, -1)
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                s.settimeout(2)
                s.sendall(struct.pack(">i", len(request)) + request)
                return len(s.recv(4)) == 4
        except OSError:
            return False


class Gate:
    """Passes on what comes to `port` to the port `behind` it, and back, unless it is shut: then it waits."""

    def __init__(self, behind):
        self.behind, self.passing = behind, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.passing.set()
        threading.Thread(target=self.accept, daemon=True).start()

    def shut(self):
        self.passing.clear()

    def open(self):
        self.passing.set()

    def accept(self):
        while True:
            here = self.listener.accept()[0]
            try:
                there = socket.create_connection(("127.0.0.1", self.behind))
            except OSError:
                here.close()
                continue
            for ends in ((here, there), (there, here)):
                threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    def pass_on(self, source, target):
        try:
            while data := source.recv(65536):
                self.passing.wait()
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # close alone isn't heard while the other thread reads
                end.close()


def ends_open(path):
    """Is the last batch of a segment one of a transaction, and no marker?  (Kafka's record batch: offset, length, leader
    epoch, magic, checksum, attributes, of which 0x10 is a transaction's and 0x20 a marker.)"""
    attributes = 0
    with open(path, "rb") as log:
        while len(head := log.read(23)) == 23 and (length := struct.unpack(">qi", head[:12])[1]) > 0:
            attributes = struct.unpack(">h", head[21:])[0]
            log.seek(length + 12 - 23, os.SEEK_CUR)
    return attributes & 0x30 == 0x10


class MockBroker(Process):
    """librdkafka's in-process cluster, in our helper program.  topics: {"name": partitions}."""

    def __init__(self, folder, program, topics):
        super().__init__(folder, "mock_broker")
        self.program, self.topics = program, topics
        self.bootstrap = None

    def start(self):
        wanted = ",".join(f"{name}:{partitions}" for name, partitions in self.topics.items())
        self.spawn([self.program, "--topics", wanted], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.child.stdout.readline().strip()
        if not self.bootstrap:
            self.wait()
            self.must_run()
        return self

    def tell(self, line):
        """One of the lines that it obeys."""
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        time.sleep(0.1)


class Daemon(Process):
    """shouwangd with a configuration folder; settings is {"KAFKA_BOOTSTRAP": "…"}: the environment overrides the file.

    It is its own service manager: what the daemon tells it is in self.told, each a dict.
    """

    def __init__(self, folder, program, config, settings=None, environment=None, name="shouwangd"):
        super().__init__(folder, name)
        self.program, self.config = program, config
        self.http = f"127.0.0.1:{free_port()}"
        self.environment = {**os.environ, **(environment or {}), "SHOUWANG_HTTP": self.http,
                            **{"SHOUWANG_" + key: str(value) for key, value in (settings or {}).items()}}
        self.environment.pop("JOURNAL_STREAM", None)
        self.notify_path = os.path.join(folder, name + ".notify")
        self.notify = None
        self.told = []

    def start(self, ready=True, *words):
        if os.path.exists(self.notify_path):
            os.unlink(self.notify_path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.told = []
        threading.Thread(target=self.take_in, args=(self.notify, self.told), daemon=True).start()
        self.environment["NOTIFY_SOCKET"] = self.notify_path
        self.spawn([self.program, "--config", self.config, "--foreground", *words], env=self.environment)
        if ready:
            self.wait_told("READY", "1")
        return self

    @staticmethod
    def take_in(notify, told):
        """Reads what it tells as it comes: who isn't listened to waits."""
        while True:
            message = notify.recv(8192).decode()
            told.append(dict(line.split("=", 1) for line in message.splitlines() if "=" in line))

    def listen(self):
        """What it has told so far."""
        time.sleep(0.01)
        return list(self.told)

    def count_told(self, key, value):
        return sum(message.get(key) == value for message in self.listen())

    def wait_told(self, key, value, times=1, seconds=30):
        wait_until(f"{key}={value} from {self.name}", seconds,
                   lambda: self.count_told(key, value) >= times or self.must_run())

    def get(self, path):
        """Status and text of an HTTP path; (0, reason) where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self):
        """{"name{labels}": value}"""
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in self.get("/metrics")[1].splitlines() if line and not line.startswith("#")}

    def total(self, name):
        """The sum over all labels of a metric."""
        return sum(value for key, value in self.metrics().items() if key.split("{")[0] == name)


def in_folder(prefix, program):
    """Runs program(folder) in a folder of its own, for a person: SIGTERM ends it as Ctrl-C does, with everything cleaned
    up.  Returns the exit status: what the program returns (None: 0), 130 where it was interrupted, 1 where it failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        return program(folder) or 0
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is left behind", file=sys.stderr)
        return 130
    except (RuntimeError, TimeoutError, Unavailable, BrokenPipeError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shutil.rmtree(folder, ignore_errors=True)


def missing():
    """What tests on a real Kafka and a Redis lack here; None: nothing."""
    if not shutil.which("redis-server"):
        return "redis-server is not installed"
    try:
        fetch_kafka()
    except Unavailable as why:
        return str(why)
    return None


def serve(server):
    """Runs one server for a shell script."""
    ends = []
    signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
    signal.signal(signal.SIGINT, lambda *_: ends.append(1))
    with server:
        server.start()
        print(getattr(server, "bootstrap", None) or server.url, server.pid, flush=True)
        os.set_blocking(0, False)
        while not ends and server.running():
            try:
                if os.read(0, 1024) == b"":
                    break
            except BlockingIOError:
                pass
            time.sleep(0.1)
        return 0 if ends or server.running() else 1


def main(words):
    kinds = {"kafka": Kafka, "redis": Redis}
    try:
        if words == ["fetch-kafka"]:
            fetch_kafka()
            return 0
        if len(words) == 3 and words[0] == "serve" and words[1] in kinds:
            return serve(kinds[words[1]](os.path.abspath(words[2])))
    except Unavailable as why:
        print(why, file=sys.stderr)
        return SKIPPED
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
