"""Fault 4: the broker."""

import signal
import time

from world import TRANSACTION_MS

NUMBER = 4
NAME = "broker"
KINDS = ("broker-killed", "broker-paused", "broker-away", "broker-away-at-start")
STALL = 5  # s
AWAY = 70  # s; longer than librdkafka's requests wait


def run(world):
    """The broker is killed and started again; stands still for longer than a transaction may last; is away for 70 s; is
    away when the daemons start.  While it lasts longer than `stall`, both daemons say that they are unhealthy; when it is
    over, both recover."""
    faults = world.draw(KINDS)
    world.begin(len(faults), STALL=f"{STALL} seconds")
    for kind in faults:
        world.busy()
        {"broker-killed": killed, "broker-paused": paused, "broker-away": away,
         "broker-away-at-start": away_at_start}[kind](world)
        world.wait_recovered()
        world.happened(kind)
    world.settle()
    world.verify()


def killed(world):
    world.kafka.kill()
    time.sleep(world.random.uniform(0, 2))
    world.kafka.start()


def paused(world):
    world.kafka.signal(signal.SIGSTOP)
    began = time.monotonic()
    world.wait_unhealthy()
    time.sleep(max(0, began + TRANSACTION_MS / 1000 + 2 - time.monotonic()))
    world.kafka.signal(signal.SIGCONT)


def away(world):
    world.kafka.kill()
    began = time.monotonic()
    world.wait_unhealthy()
    time.sleep(max(0, began + AWAY - time.monotonic()))
    world.kafka.start()


def away_at_start(world):
    world.start_without(world.kafka)
