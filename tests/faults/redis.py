"""Fault 5: Redis."""

import os
import shutil
import signal
import time

from cases import expect

NUMBER = 5
NAME = "redis"
KINDS = ("redis-killed", "redis-flushed", "redis-older", "redis-full", "redis-paused", "redis-password",
         "redis-away-at-start")
STALL = 5  # s


def run(world):
    """Redis is killed and comes back empty; is emptied in the middle; comes back with older data; is full; stands still;
    has another password; is away when the daemons start.  While it lasts longer than `stall`, both daemons say that they
    are unhealthy; when it is over, both recover."""
    faults = world.draw(KINDS)
    world.start_servers()
    write_password(world, 0)
    world.begin(len(faults), STALL=f"{STALL} seconds", REDIS_PASSWORD_FILE=password_file(world))
    for number, kind in enumerate(faults):
        world.busy()
        {"redis-killed": killed, "redis-flushed": flushed, "redis-older": older, "redis-full": full,
         "redis-paused": paused, "redis-password": password, "redis-away-at-start": away_at_start}[kind](world, number + 1)
        world.wait_recovered()
        world.happened(kind)
    world.settle()
    world.verify()


def password_file(world):
    return os.path.join(world.folder, "redis.password")


def write_password(world, number):
    """Redis has it at once; who is connected already stays so."""
    new = f"password-{number}"
    answer = world.redis.command("CONFIG", "SET", "requirepass", new)
    expect(answer == b"+OK\r\n", f"Redis answers {answer}")
    world.redis.password = new
    with open(password_file(world), "w", encoding="ascii") as out:
        out.write(new + "\n")


def dump(world):
    return os.path.join(world.redis.folder, "dump.rdb")


def killed(world, _):
    world.redis.kill()
    time.sleep(world.random.uniform(0, 2))
    world.redis.start()


def flushed(world, _):
    world.redis.command("FLUSHALL")


def older(world, _):
    """What it held a while ago, restored."""
    before = world.committed_here()
    expect(world.redis.command("SAVE") == b"+OK\r\n", "no snapshot")
    world.wait("commits after the snapshot", lambda: world.committed_here() > before + 3)
    world.redis.kill()
    world.redis.start()  # which loads it
    os.unlink(dump(world))


def full(world, _):
    world.redis.command("CONFIG", "SET", "maxmemory", "1")
    world.feeder.hit()
    world.wait_unhealthy()
    world.redis.command("CONFIG", "SET", "maxmemory", "0")


def paused(world, _):
    world.redis.signal(signal.SIGSTOP)
    world.wait_unhealthy()
    world.redis.signal(signal.SIGCONT)


def password(world, number):
    """The daemons have the old one, until the file says the new one."""
    path = password_file(world)
    shutil.copy(path, path + ".old")
    write_password(world, number)
    os.replace(path, path + ".new")
    os.replace(path + ".old", path)
    world.redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    world.wait_unhealthy()
    os.replace(path + ".new", path)


def away_at_start(world, _):
    world.start_without(world.redis)
