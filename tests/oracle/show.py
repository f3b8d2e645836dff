"""What a message shows of an alert: the values and thresholds that its rule reads, the events behind them, what is missing,
and the summary."""
from expression import UNKNOWN
from values import plain, text


def show(subject, entry):
    alert, rule, known, watch, config = entry.alert, entry.alert.rule, subject.known, subject.watch, subject.config
    env, values, thresholds, missing, evidence = {**(subject.env or {})}, {}, {}, set(), []
    if rule.list:
        env[rule.variable] = known.member(rule.list, alert.member)  # as last known, also one that is gone
    names, fields, own = reads(config, watch, rule)
    for name in names - {"today", "since"} if subject.env else ():
        found = config.threshold(name[10:], subject.region, subject.today) if name.startswith("threshold.") else None
        if found:
            thresholds[name[10:]] = (float(found["value"]), found.get("region", ""), found["from"])
        elif name.startswith("threshold.") or name in watch["members"]:
            missing |= {name} if env[name] is UNKNOWN else set()
        elif name == rule.variable:
            values |= {f"{name}.{f}": env[name][f] for f in own}
        else:
            values[name] = env[name]
        evidence += behind(subject, name, rule, alert.member, fields)
    evidence = {(e["source"], e["id"], e["time_ms"]): known.about(watch["events"][e["type"]] or {}, e) for e in evidence}
    newest = sorted(evidence, key=lambda k: (-k[2], -evidence[k], k[0], k[1]))
    return {"rule": rule.name, "member": alert.member or None, "version": rule.version,
            "level": config.levels[entry.absolute()], "since": alert.since,
            "state": alert.state if alert.active() and alert.number == entry.number else "over",
            "values": {n: plain(subject.clock, v) for n, v in values.items()}, "thresholds": thresholds,
            "unknown": sorted(missing | {n for n, v in values.items() if v is UNKNOWN}),
            "evidence": newest[:20], "evidence_count": len(newest),
            "summary": "".join(p if isinstance(p, str) else text(subject.clock, p(env)) for p in rule.summary)}


def reads(config, watch, rule):
    """The names and fields of the rule's conditions, through derived values too; and the fields of those that read a member
    of `each`: whose field it is, isn't told apart."""
    names, fields, own, unread = set(), set(), set(), list(rule.reads)
    while unread:
        e = unread.pop()
        unread += [config.expression(watch["derived"][n]["value"]) for n in e.names - names if n in watch["derived"]]
        names, fields = names | e.names, fields | e.fields - {"since"}
        own |= e.fields - {"since"} if rule.variable in e.names else set()
    return names, fields, own


def behind(subject, name, rule, member, fields):
    """The events that told what is known of a name.  Of a list: who came and who left, and of those that are there the
    fields that the rule reads."""
    of = rule.list if name == rule.variable else name
    measure = subject.watch["measures"].get(name)
    for slot, (_, value, event) in subject.known.told.items():
        there = lambda: subject.known.told.get(("member", *slot[1:3]), (0, False))[1]
        amount = measure and slot[:2] == ("amount", measure.base)
        if slot == ("fact", name) or amount and value[0] and measure.holds(value[0], subject.today):
            yield event
        elif slot[0] in ("member", "field") and slot[1] == of and (of == name or slot[2] == member):
            if slot[0] == "member" or slot[3] in fields and there():
                yield event
