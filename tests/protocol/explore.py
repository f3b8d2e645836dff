"""Tries every order of steps (breadth first: the shortest way to a fault), or some at random (longer ways)."""

import random
import time
from collections import deque, namedtuple

from protocol import Broken

Finding = namedtuple("Finding", "fault trace worlds steps ends complete seconds")


class Graph:
    """The worlds that were met, by number, with the way to each and the steps that lead to it."""

    def __init__(self, start):
        self.number = {start: 0}
        self.worlds, self.came_from, self.before = [start], [None], [[]]

    def add(self, before, label, after, is_fault):
        n = self.number.get(after)
        if n is None:
            n = self.number[after] = len(self.worlds)
            self.worlds.append(after)
            self.came_from.append((before, label))
            self.before.append([])
        if not is_fault:
            self.before[n].append(before)

    def way_to(self, n):
        labels = []
        while self.came_from[n]:
            n, label = self.came_from[n]
            labels.append(label)
        return labels[::-1]

    def without_end(self, ends):
        """A world from which no end can be reached without a further fault, or None."""
        reached, queue = bytearray(len(self.worlds)), deque(ends)
        for n in ends:
            reached[n] = 1
        while queue:
            for n in self.before[queue.popleft()]:
                if not reached[n]:
                    reached[n] = 1
                    queue.append(n)
        return reached.find(0) if 0 in reached else None


def exhaust(protocol, most):
    """Every world that can come about, up to so many.  Where that is all of them, also: from each an end is reached."""
    began, steps, ends, n = time.monotonic(), 0, [], 0
    graph = Graph(protocol.start())

    def finding(fault, at, complete=False):
        return Finding(fault, graph.way_to(at) if fault else [], len(graph.worlds), steps, len(ends), complete,
                       time.monotonic() - began)

    while n < len(graph.worlds) < most:
        world, at_end = graph.worlds[n], True
        try:
            for label, is_fault, after in protocol.steps(world):
                steps += 1
                at_end = at_end and (is_fault or after == world)
                graph.add(n, label, after, is_fault)
            if at_end:
                ends.append(n)
                protocol.check_end(world)
        except Broken as why:
            return finding(str(why), n)
        n += 1
    complete = n == len(graph.worlds)
    endless = graph.without_end(ends) if complete else None
    return finding("endless: no end can be reached any more" if endless is not None else None, endless, complete)


def walk(protocol, walks, seed, fault_share=0.06, longest=5000):
    """So many random ways to an end, with seldom faults while anything else can happen."""
    began, steps, ends, chance, seen = time.monotonic(), 0, 0, random.Random(seed), set()

    def finding(fault, labels):
        return Finding(fault, labels, len(seen), steps, ends, False, time.monotonic() - began)

    for _ in range(walks):
        world, labels = protocol.start(), []
        try:
            while len(labels) < longest:
                choices = list(protocol.steps(world))
                free = [c for c in choices if not c[1] and c[2] != world]
                faults = [c for c in choices if c[1]]
                if not free:
                    ends += 1
                    protocol.check_end(world)
                if not free and not faults:
                    break
                label, _, world = chance.choice(faults if faults and (not free or chance.random() < fault_share)
                                                else free)
                labels.append(label)
                seen.add(hash(world))
                steps += 1
            else:
                return finding(f"endless: no end after {longest} steps", labels[-100:])
        except Broken as why:
            return finding(str(why), labels)
    return finding(None, [])
