"""Fault 6: transactions that don't come to their end."""

import os
import shutil
import signal
import time

import stage as staging
from cases import expect, has
from servers import MockBroker, Redis, wait_until
from world import PARTITIONS, PATIENCE

NUMBER = 6
NAME = "transactions"
REAL = ("fenced", "expired", "offsets-refused", "fatal-before-begin", "fatal-in-transaction", "fatal-before-commit")
# Kafka's numbers of the requests and errors, as its protocol has them: how often in a row, and what must come of it.
PRODUCE, INIT, ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS = 0, 22, 24, 25, 26, 28
GOES_ON, AGAIN, REPLACED = "goes on", "aborted and made again", "producer replaced"
EMBEDDED = {
    "produce-not-leader": (PRODUCE, 6, 2, GOES_ON),
    "produce-too-large": (PRODUCE, 10, 1, AGAIN),
    "produce-out-of-order": (PRODUCE, 45, 1, REPLACED),
    "produce-unknown-id": (PRODUCE, 59, 1, AGAIN),
    "produce-old-epoch": (PRODUCE, 47, 1, REPLACED),
    "init-coordinator-loads": (INIT, 14, 2, GOES_ON),
    "init-concurrent": (INIT, 51, 2, GOES_ON),
    "add-concurrent": (ADD_PARTITIONS, 51, 3, GOES_ON),
    "add-refused": (ADD_PARTITIONS, 29, 1, AGAIN),
    "add-fenced": (ADD_PARTITIONS, 90, 1, REPLACED),
    "add-offsets-moved": (ADD_OFFSETS, 16, 1, GOES_ON),
    "add-offsets-fenced": (ADD_OFFSETS, 47, 1, REPLACED),
    "offsets-illegal-generation": (COMMIT_OFFSETS, 22, 1, AGAIN),
    "offsets-unknown-member": (COMMIT_OFFSETS, 25, 1, AGAIN),
    "offsets-fenced-member": (COMMIT_OFFSETS, 82, 1, AGAIN),
    "offsets-loading": (COMMIT_OFFSETS, 14, 2, GOES_ON),
    "end-coordinator-away": (END, 15, 2, GOES_ON),
    "end-concurrent": (END, 51, 2, GOES_ON),
    "end-fenced": (END, 90, 1, REPLACED),
    "end-invalid-state": (END, 48, 1, REPLACED),
}
KINDS = (*REAL, *EMBEDDED)


def run(world):
    """The producer is fenced, its transaction expires, its offsets are refused after a rebalance, or it fails for good,
    under load on the real broker; what that won't do on request is had from librdkafka's embedded one, which shows that
    the daemon says what happened and goes on."""
    real = world.draw(REAL)
    embedded = [kind for kind in EMBEDDED if world.chosen is None or kind in world.chosen]
    if real:
        under_load(world, real)
    if embedded:
        on_embedded(world, embedded)


# --- on the real broker

def under_load(world, kinds):
    world.begin(len(kinds))
    for kind in kinds:
        world.busy(0.3)
        victim = world.random.choice((world.one, world.two))
        {"fenced": fenced, "expired": expired, "offsets-refused": refused}.get(kind, fatal)(world, victim, kind)
        world.wait("all partitions at work", lambda: world.running_partitions(world.one)
                   + world.running_partitions(world.two) == PARTITIONS)
        world.happened(kind)
    world.settle()
    world.verify()


def replaced(daemon):
    return daemon.get("/metrics")[0] == 200 and daemon.metrics().get('shouwang_errors_total{of="kafka"}', 0)


def wait_said(world, daemon, mark, *parts):
    world.wait(f"{parts} from {daemon.name}", lambda: any(all(part in line for part in parts)
                                                          for line in daemon.log()[mark:].split("\n")))


def busy_until(world, what, condition):
    def done():
        world.feeder.hit()
        return condition()
    world.wait(what, done)


def fenced(world, victim, _):
    """By a stranger with the same transactional id, who comes again after some seconds: to a commit that his request meets
    half-way the broker may answer with an unknown error, for which the producer is replaced, too, but wasn't fenced."""
    mark, before = len(victim.log()), victim.total("shouwang_fenced_total")
    id_ = f"{world.stage.name}-{victim.name.removeprefix('shouwangd-')}-{world.random.randrange(2)}"
    again = 0

    def taken():
        nonlocal again
        if time.monotonic() >= again:
            staging.output([world.programs.meddle, world.kafka.bootstrap, "fence", id_])
            again = time.monotonic() + 5
        return victim.total("shouwang_fenced_total") > before
    busy_until(world, f"fencing of {id_}", taken)
    log = victim.log()[mark:]
    if "EndTxn commit failed: Unknown broker error" in log:
        world.saw("commit met half-way")
    if "is used by another process too, which doesn't note itself in this Redis" in log:
        world.saw("in a row")


def restart(world, victim, fault, **timeouts):
    """With other timeouts (ms) of its session and its transactions."""
    world.stop(victim)
    folder = world.stage.config
    if timeouts:
        folder = os.path.join(world.stage.folder, f"config-{victim.name}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(world.stage.config, folder)
        path = os.path.join(folder, "shouwang.yaml")
        with open(path, encoding="utf-8") as text:
            settings = text.read()
        for name, ms in timeouts.items():
            property_ = f"{name}.timeout.ms: "
            expect(property_ in settings, f"no {property_} in {path}")
            old = settings.split(property_)[1].split(",")[0]
            settings = settings.replace(property_ + old, property_ + str(ms), 1)
        with open(path, "w", encoding="utf-8") as out:
            out.write(settings)
    victim.config = folder
    mark = len(victim.log())
    world.start(victim, fault)
    return mark


def stop_in_transaction(world, victim, **timeouts):
    mark = restart(world, victim, f"in-transaction:{world.random.randint(1, 15)}=stop", **timeouts)
    busy_until(world, "SIGSTOP", lambda: world.stopped(victim))
    return mark


def expired(world, victim, _):
    """It stands still in the middle of a transaction, for longer than the broker lets it, and is still a member."""
    mark = stop_in_transaction(world, victim, session=60000, transaction=1500)
    time.sleep(4)
    victim.signal(signal.SIGCONT)
    wait_said(world, victim, mark, "a transaction was open for", "the broker gives it up after 1500")


def refused(world, victim, _):
    """It stands still in the middle of a transaction until the group has given its partitions away."""
    mark = stop_in_transaction(world, victim, session=2000, transaction=15000)
    other = world.other(victim)
    world.wait("partitions to be given away", lambda: sum(
        key.startswith("shouwang_partition_state{") for key in other.metrics()) == PARTITIONS)
    victim.signal(signal.SIGCONT)
    wait_said(world, victim, mark, "a transaction was aborted and is made again", "commit offsets")


def fatal(world, victim, kind):
    mark = restart(world, victim, f"{kind.removeprefix('fatal-')}:{world.random.randint(5, 15)}=fatal")
    busy_until(world, "two producers that fail", lambda: replaced(victim) >= 2)
    has(victim.log()[mark:], "the producer is replaced and all partitions are taken over anew")
    restart(world, victim, None)


# --- on the embedded one

def on_embedded(world, kinds):
    folder = os.path.join(world.folder, "embedded")
    with Redis(folder) as redis:
        redis.start()
        stage = staging.Stage(world.programs, "127.0.0.1:1", redis.url, folder, {"LOG_LEVEL": "info", "WORKERS": 1})
        sample = staging.Sample(world.programs, folder, 60, 12, world.seed)
        with MockBroker(folder, world.programs.mock_broker, stage.all_topics()) as broker:
            broker.start()
            stage.settings["KAFKA_BOOTSTRAP"] = stage.environment["SHOUWANG_KAFKA_BOOTSTRAP"] = broker.bootstrap
            try:
                each(world, stage, broker, sample.lines, kinds)
            finally:
                stage.stop()


def each(world, stage, broker, lines, kinds):
    n, sent = len(lines) // (len(kinds) + 1), []
    daemon = stage.daemon().start()
    for i, kind in enumerate(kinds):
        api, error, times, wanted = EMBEDDED[kind]
        mark, before = len(daemon.log()), (daemon.total("shouwang_aborts_total"), replaced(daemon))
        if api == INIT:
            daemon.stop()
            before = 0, 0
        else:
            daemon.signal(signal.SIGSTOP)  # whoever asks next gets the error: not the publisher
        stage.publish(lines[i * n:(i + 1) * n])
        sent += lines[i * n:(i + 1) * n]
        broker.tell(f"fail {api} {error} {times}")
        if api == INIT:
            daemon.start()
        else:
            daemon.signal(signal.SIGCONT)
        stage.wait_all(PATIENCE)
        wait_until("readiness", PATIENCE, lambda: daemon.get("/-/ready")[0] == 200)
        aborts, errors = daemon.total("shouwang_aborts_total") - before[0], replaced(daemon) - before[1]
        got = REPLACED if errors else AGAIN if aborts else GOES_ON
        expect(got == wanted, f"{kind}: {got}, expected: {wanted}\n{daemon.log()[mark:]}")
        if wanted != GOES_ON:
            has(daemon.log()[mark:], "made again: " if wanted == AGAIN else "the producer is replaced")
        world.happened(kind)
    path = os.path.join(stage.folder, "sent.jsonl")
    with open(path, "wb") as out:
        out.writelines(sent)
    states = stage.alone(path)[1]
    for where in ("raw-states", "raw-cached"):
        faults = staging.state_differences(states, stage.peek(where), where)
        expect(not faults, "\n".join(faults[:10]))
