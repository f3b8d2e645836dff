"""Fault 10: the rules change."""

import collections
import json
import signal
import time

import steps
import workload
from cases import expect
from rules import Rules
from stage import lines as json_lines
from steps import Steps
from verify import Found, Verdict, plain
from world import PARTITIONS

NUMBER = 10
NAME = "reload"
KINDS = ("reload-threshold", "reload-measure", "reload-removed-rule", "reload-moved-rule", "reload-same", "reload-broken",
         "kill-in-sweep", "flush-in-sweep", "reload-under-load")
HOUSEHOLDS = {True: 1200, False: workload.HOUSEHOLDS}  # in the short form, and in the long one
ENDED = ("case.cleared", "case.closed")


def run(world):
    """Other rules for both daemons: another threshold, another window of a measure, a rule that is gone (or back) or names
    another unit, a title; a broken set.  At first each comes when all events before it are committed, so that what must
    come out is known to the byte, also where daemons are killed, or Redis forgets, in the middle of the sweep; then under
    load, one before the sweep of the last has ended, with kill -9 in between: then the states must be those that the last
    rules give, and the messages must tell of them."""
    faults = world.draw(KINDS)
    exact = [kind for kind in faults if kind != "reload-under-load"]
    stage, sample, feeder, rules = begin(world, len(faults))
    parts = steps.split(sample, len(exact) + 2 * (len(exact) < len(faults)))
    for i, kind in enumerate(exact):
        give(feeder, rules, "events", parts[i])
        if i % 3 == 1:
            give(feeder, rules, "feedback", steps.answers(stage, steps.newest_time(parts[i]), f"a{i}", world.random))
        world.wait("everything in Redis", world.settled)
        if kind == "kill-in-sweep":
            in_sweep(world, rules, lambda: kill_some(world, world.random.choice((world.one, world.two))))
        elif kind == "flush-in-sweep":
            in_sweep(world, rules, lambda: world.redis.command("FLUSHALL"))
        else:
            change(world, rules, kind)
        world.happened(kind)
    verify_exact(world, rules)
    if len(exact) < len(faults):
        under_load(world, feeder, rules, [line for part in parts[len(exact):] for line in part],
                   len(faults) - len(exact))
        verify_rest(world, rules, workload.ticks(sample, world.random))


def begin(world, n_faults):
    world.servers()
    households = HOUSEHOLDS[world.rounds < 20]
    # some seconds for a sweep by the four workers, so that something can happen in the middle of it
    world.stage.patch("shouwang.yaml", r"^sweep: \d+", f"sweep: {households // 12}")
    feeder = Steps(world.stage, n_faults)
    sample = steps.begin(world, feeder, households)
    rules = Rules(world.stage, world.random)
    world.one, world.two = world.stage.daemon("one").start(), world.stage.daemon("two").start()
    return world.stage, sample, feeder, rules


def give(feeder, rules, kind, lines):
    """Until all of it is committed."""
    rules.given(lines)
    feeder.give(kind, lines)
    feeder.join_steps()


# --- reloads

def pause(world, most):
    """A random moment."""
    time.sleep(world.random.uniform(0, most))


def daemons(world):
    return [d for d in (world.one, world.two) if d.running()]


def reload(world, taken=True):
    """Both; taken or refused."""
    told = {d: d.count_told("READY", "1") for d in daemons(world)}
    for d in told:
        d.signal(signal.SIGHUP)
    for d, before in told.items():
        d.wait_told("READY", "1", before + 1, 120)
        expect(d.metrics()["shouwang_config_last_reload_successful"] == taken, f"{d.name} took or refused it\n{d.log()[-3000:]}")


def change(world, rules, kind):
    """All or nothing, and complete when it returns."""
    if kind == "reload-broken":
        rules.break_()
        reload(world, taken=False)
        rules.write()
        return
    getattr(rules, kind.removeprefix("reload-").replace("-", "_"))()
    rules.write()
    rules.begin_part()
    reload(world)
    wait_swept(world)


def records(world):
    """The partition records as Redis has them."""
    out = []
    for p in range(PARTITIONS):
        reply = world.redis.command("HGET", f"{{{world.stage.name}:{p}}}:meta", "record").decode()
        out.append({} if reply.startswith("$-1") else json.loads(reply.split("\r\n", 1)[1]))
    return out


def fingerprint(daemon):
    return next(key.split('ruleset="')[1].split('"')[0] for key in daemon.metrics() if key.startswith("shouwang_build_info"))


def wait_swept(world):
    wanted = {fingerprint(d) for d in daemons(world)}
    expect(len(wanted) == 1, f"the daemons have different rules: {wanted}")
    wanted = wanted.pop()
    world.wait("end of the sweep", lambda: all((r.get("rules"), r.get("swept")) == (wanted, wanted) for r in records(world)))
    world.wait("everything in Redis", world.settled)


def swept(daemon):
    return daemon.total("shouwang_swept_subjects_total")


def in_sweep(world, rules, fault):
    """Until it came in the middle of one."""
    while True:
        rules.threshold()
        rules.write()
        rules.begin_part()
        before = swept(world.one) + swept(world.two)
        reload(world)
        world.wait("a sweep", lambda: swept(world.one) + swept(world.two) > before)
        pause(world, 0.5)
        hit = not complete(world)
        fault()
        wait_swept(world)
        if hit:
            return


def complete(world):
    return all(r.get("swept") == fingerprint(world.one) for r in records(world))


def kill_some(world, victim):
    """With one daemon or with both."""
    both = world.random.random() < 0.3
    for d in (victim, world.other(victim)) if both else (victim,):
        world.kill(d)
    pause(world, 0.3)
    for d in (victim, world.other(victim)) if both else (victim,):
        world.start(d)


def under_load(world, feeder, rules, lines, n):
    """The measure stays: what it keeps of the past must be known at the end."""
    feeder.hurried, feeder.faults = False, n
    rules.given(lines)
    feeder.give("events", lines)
    for i in range(n):
        pause(world, 2)
        if i % 3 == 2:
            rules.break_()
            reload(world, taken=False)
        getattr(rules, world.random.choice(("threshold", "removed_rule", "moved_rule")))()
        rules.write()
        reload(world)
        if i % 2 == 0:
            pause(world, 1)
            kill_some(world, world.random.choice((world.one, world.two)))
        world.happened("reload-under-load")


def there_and_back(world, rules):
    """Back to the set of before while the sweep is under way, and nothing else: those that it has reached are to be
    judged once more."""
    while True:
        limit, before = rules.limit, swept(world.one) + swept(world.two)
        rules.threshold()
        rules.write()
        reload(world)
        world.wait("a sweep", lambda: swept(world.one) + swept(world.two) > before)
        hit = not complete(world)
        rules.limit = limit
        rules.write()
        reload(world)
        wait_swept(world)
        if hit:
            return


# --- what must be right

def verify_exact(world, rules):
    verdict = Verdict(rules.expected(), Found.of(world.stage))
    world.figures = verdict.figures
    world.say(f"{len(rules.parts)} sets of rules, each change when all before it was done:")
    for line in verdict.lines():
        world.say(line)
    if verdict.faults:
        world.keep(verdict)
    verdict.must_be_right(world.logs())


def verify_rest(world, rules, ticks):
    """Whenever the rules changed: nothing is lost or there twice, and what is there is by the last rules."""
    rules.begin_part()
    rules.given(ticks)
    world.feeder.give("events", ticks)
    world.feeder.steps.put(None)
    world.settle()
    wait_swept(world)
    there_and_back(world, rules)
    found = Found.of(world.stage)
    as_is, again = rules.at_rest(found.changelog.splitlines(), workload.LAST_DAY + "T12:00:00+08:00")
    faults = told_faults([m for queue_ in found.queues for m in queue_], as_is)
    faults += order_faults(found.queues)
    faults += [f"{key} judged once more: {a} became {b}" for key, a, b in unlike(as_is, again, "due")]
    faults += known_faults(rules, as_is)
    faults += [f"given twice: outcome {id_}" for id_, n in
               collections.Counter(o["id"] for o in found.outcomes).items() if n > 1]
    if found.changelog != found.cached:
        faults.append("Redis holds other states than the changelog")
    world.figures["under load"] = {"messages": sum(map(len, found.queues)), "outcomes": len(set(map(plain, found.outcomes))),
                                   "states": len(as_is), "faults": len(faults)}
    world.say("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(world.faults.items())))
    world.say("with reloads under load: " + ", ".join(f"{k} {v}" for k, v in world.figures["under load"].items()))
    expect(not faults, "\n".join(fault[:2000] for fault in faults[:10]) + f"\n({len(faults)} faults)\n" + world.logs())


def told_faults(messages, states):
    """Each case's messages are there once, numbered without a gap, and end as the state says."""
    faults, of_case = [], collections.defaultdict(list)
    faults += [f"id given {n} times: {id_}" for id_, n in collections.Counter(m["id"] for m in messages).items() if n > 1]
    for m in messages:
        of_case[m["data"]["case"]].append(m)
    known = {f"{watch}/{subject}/{case['unit']}/{number}": case if number == case["number"] else {"open": False}
             for (watch, subject), state in states.items() for case in state["cases"]
             for number in range(1, case["number"] + 1)}
    faults += [f"no case in any state, but told: {name}" for name in of_case.keys() - known.keys()]
    faults += [f"a case that nobody was told of: {name} {known[name]}" for name in known.keys() - of_case.keys()]
    for name in known.keys() & of_case.keys():
        numbers = sorted(m["data"]["message_no"] for m in of_case[name])
        last = max(of_case[name], key=lambda m: m["data"]["message_no"])
        if numbers != list(range(1, len(numbers) + 1)):
            faults.append(f"messages {numbers} of {name}")
        if known[name]["open"] != (last["type"] not in ENDED):
            faults.append(f"{name} is {known[name]}, and was last told of as {last}")
        if known[name]["open"] and known[name]["messages"] != len(numbers):
            faults.append(f"{len(numbers)} messages of {name}, which has sent {known[name]['messages']}")
    return faults


def order_faults(queues):
    faults = []
    for queue_ in queues:
        last = {}
        for m in queue_:
            case, number = m["data"]["case"], m["data"]["message_no"]
            if last.get(case, 0) >= number:
                faults.append(f"out of order: {case} {last[case]}, {number}")
            last[case] = number
    return faults


def unlike(wanted, got, *but):
    """Of states by key, those that differ in anything but these."""
    def without(state):
        return state and {name: value for name, value in state.items() if name not in but}
    return [(key, wanted.get(key), got.get(key)) for key in sorted(wanted.keys() | got.keys())
            if without(wanted.get(key)) != without(got.get(key))]


def known_faults(rules, states):
    """What is known of the subjects doesn't depend on the rules: it is what the engine alone knows."""
    alone = {(s["watch"], s["subject"]): s for s in json_lines(rules.alone("--state"))}
    return [f"{key}: wanted {wanted}\n got {got}" for key, wanted, got in unlike(alone, states, "alerts", "cases", "due")]
