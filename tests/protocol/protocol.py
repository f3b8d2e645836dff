"""The protocol of exactly once (design.md, section 4) as the daemon does it, small enough to try every order of events.

A World is all that Kafka, Redis and the workers know; `Protocol.steps` gives each World that one step can lead to.
The worker's steps are named after the functions of the daemon that they stand for.  Between any two of them anything
else may happen: another worker's steps, a marker that is written, a fault.  A worker that takes no step for a while is
one that was paused; it hears of a rebalance only where the daemon polls.

What is left out: what a partition's events mean.  A subject's state is the list of everything folded into it, so that
a loss or a repetition shows; its queue messages are committed with it, so that what holds for one holds for both.

    events      numbered 0… in each partition's input, event x is for subject x modulo the number of subjects
    timer       subject 0's; armed by its first event, due at any time after, once
    changelog   one list for each partition: the partition record and the states, by offset, and markers, which take
                offsets too
    truth       what the committed transactions say, in the order in which they were decided
"""

import itertools

from brokers import (MARKER, RECORD, TIMER, Broken, Cache, Change, Line, Servers, Store, Txn, Worker, World,
                     last_stable, put)
from rules import FAULTS, RULES


class Protocol(Servers):
    def __init__(self, dropped=(), faults=1, kinds=tuple(FAULTS), workers=2, partitions=1, events=2, subjects=2,
                 batch=1, timer=False, chunk=None):
        assert set(dropped) <= set(RULES) and set(kinds) <= set(FAULTS)
        self.rules, self.budget, self.kinds = set(RULES) - set(dropped), faults, set(kinds)
        self.n_workers, self.partitions, self.events, self.subjects = workers, range(partitions), events, subjects
        self.batch, self.timer, self.chunk = batch, timer, chunk
        self.nothing = (None,) * partitions
        self.unknown = ((),) * subjects
        self.fresh_worker = Worker("stopped", False, (), (), self.nothing, self.nothing, (self.nothing_of_subjects(),)
                                   * partitions, self.nothing, self.nothing, (), self.nothing, self.nothing, 0)
        self.owners = [(0,), (1,)] if partitions == 1 else [(0, 0), (1, 1), (0, 1)]
        self.takeover = ["fetch_committed", "ask_cache", "advance", "write_chunk"]
        if "barrier first" not in self.rules:
            self.takeover = ["advance", "fetch_committed", "ask_cache", "write_chunk"]
        self.commit = ["transact", "send_offsets", "finish", "cache_store"]
        if "one transaction" not in self.rules:
            self.commit = ["transact", "finish", "transact_record", "send_offsets", "finish_record", "cache_store"]
        if "acknowledged" not in self.rules:
            self.commit = ["send_offsets", "transact", "finish", "cache_store"]
        if "commit first" not in self.rules:
            self.commit = ["transact", "send_offsets", "cache_store", "finish"]

    def nothing_of_subjects(self):
        return (None,) * self.subjects

    def start(self):
        n = len(self.partitions)
        return World(self.budget, (0,) * n, ((),) * n, (0,) * n, (None,) * self.n_workers, (None,) * n, None, (),
                     (self.unknown,) * n, (self.fresh_worker,) * self.n_workers)

    def steps(self, world):
        """(what it is, whether it is a fault, the world after it)"""
        yield from self.coordinator(world)
        yield from self.redis(world)
        if world.faults:
            yield from self.group_faults(world)
        for w, me in enumerate(world.workers):
            if not me.current and me.at in self.polls:
                yield from self.partitions_reassigned(world, w, me)
            if me.at not in ("stopped", "waiting"):
                yield from getattr(self, me.at)(world, w, me)

    # --- the group, as a worker hears of it

    # Where the daemon polls.
    polls = {"stopped", "waiting", "outbox_open_producer", "fetch_committed", "ask_cache", "advance", "write_chunk",
             "round_step"}

    def partitions_reassigned(self, world, w, me):
        mine = tuple(p for p in self.partitions if world.owner[p] == w)
        lacks_producer = me.at in ("stopped", "outbox_open_producer")
        after = self.fresh_worker._replace(at=me.at if lacks_producer else "waiting")
        if mine:
            after = after._replace(at="outbox_open_producer" if lacks_producer else self.takeover[0], current=True,
                                   mine=mine)
        if after != me:
            yield f"worker {w} is assigned {mine}", False, self.go(world, w, after)

    # --- the worker's loop

    @staticmethod
    def go(world, w, worker):
        return world._replace(workers=put(world.workers, w, worker))

    def loop(self, me, **changes):
        """Back at the top of the loop: what isn't running is taken over first."""
        me = me._replace(batch=(), moved=self.nothing, ends=self.nothing, done=0, committed=self.nothing,
                         target=self.nothing, **changes)
        return me._replace(at="round_step" if me.mine == me.running else self.takeover[0])

    def next_of(self, me, order):
        i = order.index(me.at) + 1
        return order[i] if i < len(order) else None

    def stop_running(self, me, p):
        """partition_set, to taking over."""
        return me._replace(running=tuple(q for q in me.running if q != p))

    def outbox_open_producer(self, world, w, me):
        """init_transactions: an open one of our id is aborted, one that is being decided is waited for."""
        txn = world.txns[w]
        if txn is None:
            yield f"worker {w} has a producer", False, self.go(world, w, self.loop(me))
        elif txn.fate == "open":
            yield f"worker {w} aborts what its last producer left", False, self.decide(world, w, "aborted")

    # --- taking over

    def taking(self, me):
        return [p for p in me.mine if p not in me.running]

    def fetch_committed(self, world, w, me):
        def pending(p):
            return any(txn and txn.offsets[p] is not None and (txn.fate == "open" or "offsets" in txn.markers)
                       for txn in world.txns)
        taking = self.taking(me)
        if "barrier" in self.rules and any(pending(p) for p in taking):
            return
        committed = tuple(world.offsets[p] if p in taking else None for p in self.partitions)
        yield f"worker {w} knows the group's offsets {committed}", False, self.go(world, w, me._replace(
            at=self.next_of(me, self.takeover), committed=committed))

    def ask_cache(self, world, w, me):
        redis, watermark, position = list(world.redis), list(me.watermark), list(me.next)
        for p in self.taking(me):
            redis[p] = redis[p] or Cache(0, None, self.nothing_of_subjects())
            watermark[p], position[p] = redis[p].watermark, redis[p].record
        yield f"worker {w} knows Redis's watermarks {watermark}", False, self.go(
            world._replace(redis=tuple(redis)), w, me._replace(
                at=self.next_of(me, self.takeover), watermark=tuple(watermark), next=tuple(position)))

    def advance(self, world, w, me):
        end = len if "high watermark" in self.rules else last_stable
        target = tuple(end(world.logs[p]) if p in self.taking(me) else None for p in self.partitions)
        yield f"worker {w} replays to {target}", False, self.go(world, w, me._replace(
            at=self.next_of(me, self.takeover), target=target))

    def write_chunk(self, world, w, me):
        """One chunk of one partition; the first that isn't complete.  A reader with read_committed waits for the last
        stable offset."""
        for p in self.taking(me):
            known, target = me.watermark[p], me.target[p]
            if known >= target:
                continue
            if last_stable(world.logs[p]) < target:
                return
            store = self.next_chunk(world, p, known, target)
            if store is None:
                continue
            accepted, world = self.run_script(world, store)
            after = me._replace(watermark=put(me.watermark, p, store.to))
            if store.record is not None:
                after = after._replace(next=put(after.next, p, store.record))
            yield (f"worker {w} replays partition {p} to {store.to}" + ("" if accepted else ": refused"), False,
                   self.go(world, w, after if accepted else self.loop(me)))
            return
        yield f"worker {w} has taken over", False, self.go(world, w, self.loop(self.position(world, me),
                                                                              running=me.mine))

    def next_chunk(self, world, p, known, target):
        """None: there is nothing but markers and what was aborted up to the target."""
        states, record, to, n = {}, None, target, 0
        for offset, line in enumerate(world.logs[p][known:target], known):
            if line.fate != "committed" or line.key == MARKER:
                continue
            if line.key == RECORD:
                record = line.value
            else:
                states[line.key] = line.value
            n += 1
            if n == self.chunk:
                to = offset + 1
                break
        if "chunk's watermark" not in self.rules:
            to = target
        return Store(p, known, to, record, tuple(sorted(states.items()))) if n else None

    def position(self, world, me):
        """position_of: a group offset beyond the record stops the partition.  Here no changelog loses its tail, so
        that this would be a false alarm."""
        after = me
        for p in self.taking(me):
            if me.committed[p] > (me.next[p] or 0):
                raise Broken(f"stopped: the group's offset is {me.committed[p]}, the record says {me.next[p]}")
            position = me.next[p] or 0 if "position from record" in self.rules else me.committed[p]
            after = after._replace(next=put(after.next, p, position))
        return after

    # --- a round

    def load(self, world, me, p):
        """The states of a partition, or None: Redis isn't as it was left."""
        cache = world.redis[p]
        if cache is None or cache.watermark != me.watermark[p]:
            if "load compares" in self.rules:
                return None
        states = cache.states if cache else self.nothing_of_subjects()
        if me.current and cache and cache.watermark == me.watermark[p]:
            self.check_cache(world, p, cache)
        return tuple(s or () for s in states)

    def check_cache(self, world, p, cache):
        """When it is used, Redis is the committed changelog at its watermark."""
        states = list(self.unknown)
        for line in world.logs[p][:cache.watermark]:
            decided = world.txns[line.writer]
            if line.key in (RECORD, MARKER):
                continue
            if line.fate == "committed" or (line.fate == "open" and decided and decided.fate == "committed"):
                states[line.key] = line.value
        if tuple(states) != tuple(s or () for s in cache.states):
            raise Broken(f"cache: at watermark {cache.watermark} Redis holds {cache.states}, the changelog {states}")

    def round_step(self, world, w, me):
        loaded = {p: self.load(world, me, p) for p in me.running}
        if "idle looks" not in self.rules:
            loaded = {p: states for p, states in loaded.items() if me.next[p] < self.events}
        strange = [p for p, states in loaded.items() if states is None]
        if strange:
            after = me
            for p in strange:
                after = self.stop_running(after, p)
            yield f"worker {w}: Redis isn't as it was left", False, self.go(world, w, self.loop(after))
            return
        if world.txns[w] is not None:
            return  # concurrent transactions: the coordinator lets it wait
        turns = [list(self.turns(p, me, states)) for p, states in loaded.items()]
        for chosen in itertools.product(*turns):
            batch = tuple(change for changes, _ in chosen for change in changes)
            if not batch:
                continue
            moved = list(self.nothing)
            for (changes, position), p in zip(chosen, loaded):
                if changes:
                    moved[p] = position
            after = me._replace(at=self.commit[0], batch=batch, moved=tuple(moved))
            if "copies die" not in self.rules:
                after = after._replace(copies=self.copied(me.copies, batch))
            yield f"worker {w} steps {[(c.partition, c.state) for c in batch]}", False, self.go(world, w, after)

    def turns(self, p, me, states):
        """(changes, next position) for each number of events that may have been collected, with and without the
        timer."""
        if "copies die" not in self.rules:
            states = tuple(copy if copy is not None else state for copy, state in zip(me.copies[p], states))
        for n in range(min(self.batch, self.events - me.next[p]) + 1):
            for fires in (False, True):
                new = list(states)
                if fires and not (self.timer and 0 in new[0] and TIMER not in new[0]):
                    continue
                if fires:
                    new[0] += (TIMER,)
                for x in range(me.next[p], me.next[p] + n):
                    new[x % self.subjects] += (x,)
                yield tuple(Change(p, s, states[s], new[s]) for s in range(self.subjects)
                            if new[s] != states[s]), me.next[p] + n

    @staticmethod
    def copied(copies, batch):
        for change in batch:
            copies = put(copies, change.partition, put(copies[change.partition], change.subject, change.state))
        return copies

    # --- its commit

    def touched(self, me):
        return [p for p in self.partitions if me.moved[p] is not None]

    @staticmethod
    def begin(world, w, batch):
        return world._replace(txns=put(world.txns, w, Txn("open", batch, (None,) * len(world.owner), ())))

    def lines(self, w, me, p):
        """What a transaction writes to a partition of the changelog: its record and its states."""
        record = [Line("open", w, RECORD, me.moved[p])]
        states = [Line("open", w, c.subject, c.state) for c in me.batch if c.partition == p]
        if "one transaction" not in self.rules:
            return tuple(record if me.at == "transact_record" else states)
        return tuple(record + states)

    def transact(self, world, w, me):
        """The records of one partition are written and acknowledged."""
        yield from self.polled_meanwhile(world, w, me)
        if me.done == 0 and self.commit[0] == "transact":
            if world.txns[w] is not None:
                return
            world = self.begin(world, w, me.batch if me.at == "transact" else ())
        elif not self.open(world, w):
            yield from self.replace(world, w, me)
            return
        p = self.touched(me)[me.done]
        log = world.logs[p] + self.lines(w, me, p)
        after = me._replace(done=me.done + 1, ends=put(me.ends, p, len(log)))
        if after.done == len(self.touched(me)):
            after = after._replace(at=self.next_of(me, self.commit), done=0)
        written = world._replace(logs=put(world.logs, p, log))
        yield f"worker {w} writes to changelog {p}", False, self.go(written, w, after)
        if world.faults and "aborted" in self.kinds:
            aborted = self.decide(written._replace(faults=world.faults - 1), w, "aborted")
            yield f"WORKER {w} ABORTS", True, self.go(aborted, w, self.loop(me))

    transact_record = transact

    def polled_meanwhile(self, world, w, me):
        """Only without the rule: a batch outlives its assignment, and its offsets go with new metadata."""
        if "revocation drops" not in self.rules and not me.current:
            yield f"worker {w} rejoins and keeps its batch", False, self.go(world, w, me._replace(current=True))

    @staticmethod
    def open(world, w):
        return world.txns[w] is not None and world.txns[w].fate == "open"

    def replace(self, world, w, me):
        yield f"worker {w} is fenced", False, self.go(world, w, self.loop(me, running=())._replace(
            at="outbox_open_producer"))

    def send_offsets(self, world, w, me):
        """The group refuses those of a former generation.  The daemon tries again until its next poll tells it of the
        rebalance; here it polls at once."""
        if self.commit[0] == "send_offsets":
            world = self.begin(world, w, me.batch)
        elif not self.open(world, w):
            yield from self.replace(world, w, me)
            return
        at = self.next_of(me, self.commit)
        timers_only = all(me.moved[p] in (None, me.next[p]) for p in self.partitions)
        if timers_only and "offsets always" not in self.rules:
            yield f"worker {w} sends no offsets", False, self.go(world, w, me._replace(at=at))
        elif me.current:
            txn = world.txns[w]._replace(offsets=me.moved)
            yield f"worker {w} sends offsets {me.moved}", False, self.go(
                world._replace(txns=put(world.txns, w, txn)), w, me._replace(at=at))
        else:
            yield f"worker {w}'s offsets are refused: it aborts", False, self.go(
                self.decide(world, w, "aborted"), w, self.fresh_worker._replace(at="waiting"))

    def finish(self, world, w, me):
        if not self.open(world, w):
            yield from self.replace(world, w, me)
            return
        decided = self.decide(self.commit_truth(world, w), w, "committed")
        after = me._replace(at=self.next_of(me, self.commit) or "", next=tuple(
            old if new is None else new for old, new in zip(me.next, me.moved)))
        yield f"worker {w} commits", False, self.go(decided, w, after if after.at else self.loop(after))
        if world.faults and "uncertain" in self.kinds:
            anew = self.loop(me, running=())._replace(at="outbox_open_producer")
            if "uncertain replaces" not in self.rules:
                anew = self.loop(me)
            yield f"WORKER {w} COMMITS BUT ISN'T TOLD", True, self.go(
                decided._replace(faults=world.faults - 1), w, anew)
            if "uncertain replaces" in self.rules:
                yield f"WORKER {w}'S COMMIT DOESN'T ARRIVE", True, self.go(
                    world._replace(faults=world.faults - 1), w, anew)

    finish_record = finish

    def commit_truth(self, world, w):
        """Nothing is lost and nothing comes twice."""
        truth = world.truth
        for p, subject, base, state in world.txns[w].batch:
            before = truth[p][subject]
            again = [x for x in state[len(base):] if x in before]
            if again:
                raise Broken(f"twice: partition {p} had {before}, and {state} is committed")
            if base != before:
                raise Broken(f"lost: partition {p} had {before}, and {state} is committed from {base}")
            truth = put(truth, p, put(truth[p], subject, state))
        return world._replace(truth=truth)

    # --- Redis follows

    def cache_store(self, world, w, me):
        p = self.touched(me)[me.done]
        store = Store(p, me.watermark[p], me.ends[p], me.moved[p],
                      tuple((c.subject, c.state) for c in me.batch if c.partition == p))
        accepted, stored = self.run_script(world, store)
        after = me._replace(done=me.done + 1, watermark=put(me.watermark, p, me.ends[p]))
        if not accepted:
            after = self.stop_running(me._replace(done=me.done + 1), p)
        if after.done == len(self.touched(me)):
            at = self.next_of(me, self.commit)
            after = after._replace(at=at, done=0) if at else self.loop(after)
        yield f"worker {w} stores partition {p}" + ("" if accepted else ": refused"), False, self.go(stored, w, after)
        if world.faults and "store" in self.kinds:
            yield from self.store_faults(world._replace(faults=world.faults - 1), w, me, store)

    def store_faults(self, world, w, me, store):
        lost = self.loop(me, running=())
        yield f"WORKER {w}'S STORE IS LOST", True, self.go(world, w, lost)
        yield f"WORKER {w}'S STORE IS LATE", True, self.go(world._replace(late=world.late + (store,)), w, lost)
        accepted, stored = self.run_script(world, store)
        if accepted:
            yield f"WORKER {w}'S STORE ISN'T ANSWERED", True, self.go(stored, w, lost)
            yield f"WORKER {w}'S STORE FAILS HALFWAY", True, self.go(
                self.run_script(world, store, halfway=True)[1], w, lost)

    # --- when nothing but faults can happen any more

    def check_end(self, world):
        """Everything was done, and changelog and Redis say so."""
        for p in self.partitions:
            truth = world.truth[p]
            done = sorted(x for state in truth for x in state if x != TIMER)
            if done != list(range(self.events)):
                raise Broken(f"stalled: of partition {p} only {done} are done")
            if self.timer and TIMER not in truth[0]:
                raise Broken(f"stalled: partition {p}'s timer didn't fire")
            cache = world.redis[p]
            if cache is None or tuple(s or () for s in cache.states) != truth:
                raise Broken(f"stalled: Redis holds {cache}, committed is {truth}")
            self.check_cache(world, p, cache._replace(watermark=len(world.logs[p])))
