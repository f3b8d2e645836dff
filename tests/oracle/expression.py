"""The small part of CEL that generated configurations use, with three-valued logic.  Not the engine's CEL: it knows no
types, checks nothing, and exists so that the oracle depends on nothing of the engine."""
import math
import operator
import re

UNKNOWN = type("Unknown", (), {"__repr__": lambda self: "?", "__bool__": lambda self: 1 / 0})()

TOKEN = re.compile(r"""\s*(?:(?P<real>\d+\.\d+)|(?P<int>\d+)|(?P<text>'[^']*'|"[^"]*")|(?P<name>[A-Za-z_]\w*)"""
                   r"""|(?P<op>&&|\|\||<=|>=|==|!=|[-+*/%<>!?:()\[\].,]))""")
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MACROS = ("exists", "all", "filter", "map")


class Expression:
    """A parsed text: call it with the names' values.  `names` are the variables that it may read, `fields` the
    (variable, field) pairs of macro variables and of `each` variables."""

    def __init__(self, text, functions=None):
        self.text, self.functions, self.names, self.fields = text, functions or {}, set(), set()
        self.tokens, self.at, self.bound = [], 0, {}
        at, end = 0, len(text.rstrip())
        while at < end:
            m = TOKEN.match(text, at)
            if not m:
                raise SyntaxError(f"{text!r} at {at}")
            self.tokens.append((m.lastgroup, m.group(m.lastgroup)))
            at = m.end()
        self.run = self.choice()
        if self.at < len(self.tokens):
            raise SyntaxError(f"{text!r}: {self.tokens[self.at]}")

    def __call__(self, env):
        return self.run(env)

    # --- tokens
    def peek(self, *ops):
        return self.at < len(self.tokens) and self.tokens[self.at][0] in ("op", "name") and self.tokens[self.at][1] in ops

    def take(self, *ops):
        if not self.peek(*ops):
            return None
        self.at += 1
        return self.tokens[self.at - 1][1]

    def need(self, op):
        if not self.take(op):
            raise SyntaxError(f"{self.text!r}: expected {op} at {self.tokens[self.at:self.at + 1]}")

    # --- grammar, loosest first
    def choice(self):
        c = self.either()
        if not self.take("?"):
            return c
        a = self.choice()
        self.need(":")
        b = self.choice()

        def run(env):
            v = c(env)
            return UNKNOWN if v is UNKNOWN else a(env) if v else b(env)
        return run

    def either(self):
        parts = [self.both()]
        while self.take("||"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda env: any3(p(env) for p in parts)

    def both(self):
        parts = [self.relation()]
        while self.take("&&"):
            parts.append(self.relation())
        return parts[0] if len(parts) == 1 else lambda env: all3(p(env) for p in parts)

    def relation(self):
        a = self.sum()
        while op := self.take("<", "<=", ">", ">=", "==", "!=", "in"):
            a = self.compare(op, a, self.sum())
        return a

    def compare(self, op, a, b):
        def run(env):
            x, y = a(env), b(env)
            if x is UNKNOWN or y is UNKNOWN:
                return UNKNOWN
            return x in y if op == "in" else x == y if op == "==" else x != y if op == "!=" else ORDER[op](x, y)
        return run

    def sum(self):
        a = self.product()
        while op := self.take("+", "-"):
            a = self.arithmetic(operator.add if op == "+" else operator.sub, a, self.product())
        return a

    def product(self):
        a = self.unary()
        while op := self.take("*", "/"):
            a = self.arithmetic(operator.mul if op == "*" else divide, a, self.unary())
        return a

    def arithmetic(self, op, a, b):
        def run(env):
            x, y = a(env), b(env)
            return UNKNOWN if x is UNKNOWN or y is UNKNOWN else known(op(x, y))
        return run

    def unary(self):
        if self.take("!"):
            a = self.unary()
            return lambda env: UNKNOWN if (v := a(env)) is UNKNOWN else not v
        if self.take("-"):
            a = self.unary()
            return lambda env: UNKNOWN if (v := a(env)) is UNKNOWN else -v
        return self.member()

    def member(self):
        a = self.primary()
        while self.take("."):
            kind, name = self.tokens[self.at]
            self.at += 1
            if not self.take("("):
                self.fields.add((self.last, name))
                a = self.select(a, name)
            elif name in MACROS:
                a = self.macro(name, a)
            else:
                a = self.method(name, a, self.arguments())
        return a

    def select(self, a, name):
        return lambda env: UNKNOWN if (v := a(env)) is UNKNOWN else v.get(name, UNKNOWN)

    def macro(self, name, of):
        variable = self.tokens[self.at][1]
        self.at += 1
        self.need(",")
        self.bound[variable] = self.bound.get(variable, 0) + 1
        body = self.choice()
        self.bound[variable] -= 1
        self.need(")")

        def run(env):
            items = of(env)
            if items is UNKNOWN:
                return UNKNOWN
            results = [body({**env, variable: item}) for item in items]
            if name == "exists":
                return any3(results)
            if name == "all":
                return all3(results)
            if any(r is UNKNOWN for r in results):
                return UNKNOWN
            return results if name == "map" else [i for i, r in zip(items, results) if r]
        return run

    def method(self, name, a, args):
        run = {"size": len, "sum": lambda v: known(sum(v)), "startsWith": str.startswith,
               "contains": lambda v, w: w in v}[name]
        return strict(run, [a, *args])

    def arguments(self):
        args = []
        while not self.take(")"):
            args.append(self.choice())
            self.take(",")
        return args

    def primary(self):
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind in ("real", "int"):
            value = float(text) if kind == "real" else int(text)
            return lambda env: value
        if kind == "text":
            return lambda env: text[1:-1]
        if text == "(":
            a = self.choice()
            self.need(")")
            return a
        if text == "[":
            items = []
            while not self.take("]"):
                items.append(self.choice())
                self.take(",")
            return strict(lambda *values: values, items)
        if text in ("true", "false"):
            return lambda env: text == "true"
        if text == "has":
            self.need("(")
            a = self.choice()
            self.need(")")
            return lambda env: a(env) is not UNKNOWN
        if self.take("("):
            return self.call(text, self.arguments())
        return self.variable(text)

    def call(self, name, args):
        if name == "double":
            return strict(float, args)
        if name == "int":
            return strict(int, args)
        f = self.functions[name]
        return lambda env: f(env, v[0]) if (v := [a(env) for a in args])[0] is not UNKNOWN else UNKNOWN

    def variable(self, name):
        if name == "threshold":
            self.need(".")
            name += "." + self.tokens[self.at][1]
            self.at += 1
        self.last = name
        if not self.bound.get(name):
            self.names.add(name)
        return lambda env: env.get(name, UNKNOWN)


def any3(values):
    result = False
    for v in values:
        if v is UNKNOWN:
            result = UNKNOWN
        elif v:
            return True
    return result


def all3(values):
    result = True
    for v in values:
        if v is UNKNOWN:
            result = UNKNOWN
        elif not v:
            return False
    return result


def strict(run, args):
    def strictly(env):
        values = [a(env) for a in args]
        return UNKNOWN if any(v is UNKNOWN for v in values) else run(*values)
    return strictly


def known(v):
    """An evaluation error or NaN is unknown."""
    return UNKNOWN if isinstance(v, float) and math.isnan(v) else v


def divide(a, b):
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)
