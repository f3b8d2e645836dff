"""The model's Kafka, group and Redis: what they do by themselves and what may befall them."""

from collections import namedtuple

RECORD, MARKER = "record", "marker"  # keys of the changelog, beside the subjects' numbers
TIMER = "t"

World = namedtuple("World", "faults owner logs offsets txns redis copy late truth workers")
Line = namedtuple("Line", "fate writer key value")  # of the changelog; fate: open, committed, aborted
Txn = namedtuple("Txn", "fate batch offsets markers")  # fate: open, committed, aborted; markers: still to be written
Cache = namedtuple("Cache", "watermark record states")
Store = namedtuple("Store", "partition known to record states")  # one script
Change = namedtuple("Change", "partition subject base state")
Worker = namedtuple("Worker", "at current mine running watermark next copies committed target batch moved ends done")


class Broken(Exception):
    """A property that doesn't hold."""


def put(values, i, value):
    return values[:i] + (value,) + values[i + 1:]


def last_stable(log):
    for offset, line in enumerate(log):
        if line.fate == "open":
            return offset
    return len(log)


class Servers:
    """Of the protocol they need: rules, that are kept; kinds, of the faults that may happen; owners, the ways to share
    the partitions out; commit, the worker's steps in whose midst its transaction is in use; fresh_worker, one that has
    just started; nothing and nothing_of_subjects, for each partition or subject."""

    # --- Kafka: a transaction is decided at once, its markers are written one by one

    def coordinator(self, world):
        for w, txn in enumerate(world.txns):
            if txn is None:
                continue
            if txn.fate != "open":
                for marker in txn.markers:
                    yield f"marker {marker} of worker {w}", False, self.write_marker(world, w, txn, marker)
                continue
            used = world.workers[w].at in self.commit
            if not used or (world.faults and "expired" in self.kinds):
                yield (f"the coordinator aborts worker {w}'s transaction", used,
                       self.decide(world, w, "aborted")._replace(faults=world.faults - used))

    @staticmethod
    def decide(world, w, fate):
        txn = world.txns[w]
        written = {p for p, log in enumerate(world.logs) if any(l.fate == "open" and l.writer == w for l in log)}
        markers = tuple(sorted(written)) + (("offsets",) if any(o is not None for o in txn.offsets) else ())
        return world._replace(txns=put(world.txns, w, txn._replace(fate=fate, markers=markers) if markers else None))

    @staticmethod
    def write_marker(world, w, txn, marker):
        left = tuple(m for m in txn.markers if m != marker)
        world = world._replace(txns=put(world.txns, w, txn._replace(markers=left) if left else None))
        if marker == "offsets":
            if txn.fate == "aborted":
                return world
            return world._replace(offsets=tuple(old if new is None else new
                                                for old, new in zip(world.offsets, txn.offsets)))
        log = tuple(line._replace(fate=txn.fate) if line.fate == "open" and line.writer == w else line
                    for line in world.logs[marker])
        return world._replace(logs=put(world.logs, marker, log + (Line(txn.fate, w, MARKER, None),)))

    # --- the group

    def group_faults(self, world):
        left = world._replace(faults=world.faults - 1,
                              workers=tuple(w._replace(current=False) for w in world.workers))
        for owner in self.owners:
            moved = left._replace(owner=owner)
            if "rebalance" in self.kinds:
                yield f"REBALANCE to {owner}", True, moved
            for w, me in enumerate(world.workers):
                if "crash" in self.kinds and me.at != "stopped":
                    yield f"CRASH of worker {w}, then {owner}", True, moved._replace(
                        workers=put(moved.workers, w, self.fresh_worker))

    # --- Redis

    def redis(self, world):
        if world.late:
            store, rest = world.late[0], world.late[1:]
            yield "a late store arrives", False, self.run_script(world, store)[1]._replace(late=rest)
        if world.faults and any(world.redis):
            if "restored" in self.kinds and world.copy is None:
                yield "a snapshot of Redis", True, world._replace(copy=world.redis)
            if "restored" in self.kinds and world.copy not in (None, world.redis):
                yield "REDIS RESTORED", True, world._replace(faults=world.faults - 1, redis=world.copy)
            if "flushed" in self.kinds:
                yield "REDIS FLUSHED", True, world._replace(faults=world.faults - 1, redis=self.nothing)

    def run_script(self, world, store, halfway=False):
        """script_store.  (was it accepted, the world after it); halfway: it fails before its last line."""
        cache = world.redis[store.partition]
        if cache is None and "missing refuses" in self.rules:
            return False, world
        if cache and cache.watermark != store.known and "store compares" in self.rules:
            return False, world
        states = list(cache.states if cache else self.nothing_of_subjects())
        for subject, state in store.states:
            states[subject] = state
        record = store.record if store.record is not None else cache and cache.record
        whole = Cache(store.to, record, tuple(states))
        if halfway and "watermark last" in self.rules:
            whole = Cache(cache.watermark if cache else 0, cache and cache.record, tuple(states))
        elif halfway:
            whole = whole._replace(states=cache.states if cache else self.nothing_of_subjects())
        return True, world._replace(redis=put(world.redis, store.partition, whole))
