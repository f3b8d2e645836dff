"""A workload that is given step by step, for numbers that do something between two: what comes next may depend on what
came out."""

import queue
import subprocess
import types

import workload
from cases import expect
from world import Feeder


class Steps(Feeder):
    """Gives what it is told to; in a hurry unless told otherwise."""

    def __init__(self, stage, faults):
        super().__init__(stage, types.SimpleNamespace(events=0), faults)
        self.steps, self.left, self.hurried = queue.Queue(), 0, True

    def run(self):
        try:
            for kind, lines in iter(self.steps.get, None):
                self.left = len(lines)
                self.feed(kind, lines)
                self.wait_committed()
                self.steps.task_done()
        except Exception as why:  # told by whoever waits
            self.error = why

    def portion(self):
        """Under load: spread over the time that the faults may take."""
        return 2000 if self.hurried else self.left // max(1, self.faults) // 80

    def give(self, kind, lines):
        self.work.events += len(lines)
        self.steps.put((kind, lines))

    def join_steps(self):
        """Until all that was given is committed."""
        while self.steps.unfinished_tasks and not self.error:
            self.awake.wait(0.1)
        expect(not self.error, f"the feeder: {self.error}")


def begin(world, feeder, households):
    """The world's load from now on; returns sample events."""
    world.feeder, world.work = feeder, feeder.work
    world.stack.callback(feeder.stop)
    feeder.start()
    return subprocess.run([world.programs.shouwangctl, "sample", "--households", str(households), "--months",
                           str(workload.MONTHS), "--seed", str(world.seed), "--until", workload.UNTIL], check=True,
                          stdout=subprocess.PIPE).stdout.splitlines(keepends=True)


def split(lines, n):
    return [lines[len(lines) * i // n:len(lines) * (i + 1) // n] for i in range(n)]


def newest_time(lines):
    return max(m.group(1) for m in map(workload.TIME.search, lines) if m).decode()


def answers(stage, time, name, dice):
    """To cases that were opened by now, and perhaps have ended since."""
    opened = sorted({m["data"]["case"] for m in stage.messages() if m["type"] == "case.opened"})
    chosen = dice.sample(opened, min(workload.ANSWERS, len(opened)))
    return [workload.answer(f"{name}-{i}", case, time, dice) for i, case in enumerate(chosen)]
