"""The part of CEL that generated configurations use, with three-valued logic.  Not the engine's CEL: it is rewritten as
Python, whose own parser reads it; it knows no types, checks nothing, and makes the oracle depend on nothing of the engine."""
import ast
import math
import operator
import re

UNKNOWN = type("Unknown", (), {"__repr__": lambda self: "?", "__bool__": lambda self: 1 / 0})()

TOKEN = re.compile(r"""'[^']*'|"[^"]*"|&&|\|\||[<>=!]=|\w+(?:\.\d+)?|\S""")
WORDS = {"&&": "and", "||": "or", "!": "~", "true": "True", "false": "False"}       # ~ binds as CEL's ! does


def python(tokens):
    """What there is up to the end of a bracket."""
    items, item = [], []
    for token in tokens:
        if token in ("(", "["):
            item.append(token + python(tokens) + {"(": ")", "[": "]"}[token])
        elif token in (")", "]"):
            break
        elif token == ",":
            items, item = [*items, choice(item)], []
        else:
            item.append(WORDS.get(token, token))
    return ", ".join([*items, choice(item)])


def choice(item):
    """c ? a : b as a if c else b."""
    if "?" not in item:
        return " ".join(item)
    ask = item.index("?")
    other = next(i for i in range(ask, len(item)) if item[ask:i + 1].count("?") == item[ask:i + 1].count(":"))
    return f"(({choice(item[ask + 1:other])}) if ({' '.join(item[:ask])}) else ({choice(item[other + 1:])}))"


class Expression:
    """A parsed text: call it with the names' values.  It reads the variables `names`, and of members the `fields`."""

    def __init__(self, text, functions=None):
        self.functions, self.names, self.fields = functions or {}, set(), set()
        self.run = self.build(ast.parse(python(iter(TOKEN.findall(text))), mode="eval").body, frozenset())

    def __call__(self, env):
        return self.run(env)

    def build(self, node, bound):
        """bound: the variables of the macros around it."""
        build = lambda node: self.build(node, bound)
        match node:
            case ast.Constant(value=value):
                return lambda env: value
            case ast.Name(id=name):
                self.names |= {name} - bound
                return lambda env: env.get(name, UNKNOWN)
            case ast.Attribute(value=ast.Name(id="threshold"), attr=field):
                return build(ast.Name("threshold." + field))
            case ast.Attribute(value=of, attr=field):
                self.fields.add(field)
                return strict(lambda v: v.get(field, UNKNOWN), [build(of)])
            case ast.BoolOp(op=op, values=values):
                logic, parts = any3 if isinstance(op, ast.Or) else all3, [build(v) for v in values]
                return lambda env: logic(p(env) for p in parts)
            case ast.IfExp(test=test, body=a, orelse=b):
                c, a, b = build(test), build(a), build(b)
                return lambda env: UNKNOWN if (v := c(env)) is UNKNOWN else a(env) if v else b(env)
            case ast.UnaryOp(op=op, operand=a):
                return strict(OPERATORS[type(op)], [build(a)])
            case ast.BinOp(left=a, op=op, right=b) | ast.Compare(left=a, ops=[op], comparators=[b]):
                return strict(OPERATORS[type(op)], [build(a), build(b)])
            case ast.List(elts=items):
                return strict(lambda *values: values, [build(i) for i in items])
            case ast.Call(func=ast.Name(id="has"), args=[a]):
                a = build(a)
                return lambda env: a(env) is not UNKNOWN
            case ast.Call(func=ast.Name(id=name), args=[a]) if name in self.functions:
                f, a = self.functions[name], build(a)
                return lambda env: UNKNOWN if (v := a(env)) is UNKNOWN else f(env, v)
            case ast.Call(func=ast.Attribute(value=of, attr=name), args=[ast.Name(id=variable), body]) if name in MACROS:
                return macro(MACROS[name], build(of), variable, self.build(body, bound | {variable}))
            case ast.Call(func=ast.Name(id=name), args=args):
                return strict(METHODS[name], [build(a) for a in args])
            case ast.Call(func=ast.Attribute(value=of, attr=name), args=args):
                return strict(METHODS[name], [build(a) for a in [of, *args]])
        raise SyntaxError(ast.unparse(node))


def macro(collect, of, variable, body):
    def run(env):
        items = of(env)
        return UNKNOWN if items is UNKNOWN else collect(items, [body({**env, variable: item}) for item in items])
    return run


def strict(run, args):
    """Unknown where an argument is; an evaluation error or NaN is unknown."""
    def strictly(env):
        values = [a(env) for a in args]
        v = UNKNOWN if any(v is UNKNOWN for v in values) else run(*values)
        return UNKNOWN if isinstance(v, float) and math.isnan(v) else v
    return strictly


def any3(values):
    result = False
    for v in values:
        if v is True:
            return True
        result = UNKNOWN if v is UNKNOWN else result
    return result


def all3(values):
    result = True
    for v in values:
        if v is False:
            return False
        result = UNKNOWN if v is UNKNOWN else result
    return result


def divide(a, b):
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: divide, ast.Invert: operator.not_,
             ast.USub: operator.neg, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
             ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.In: lambda a, b: a in b}
METHODS = {"double": float, "int": int, "size": len, "sum": sum, "startsWith": str.startswith, "contains": lambda v, w: w in v}
MACROS = {"exists": lambda items, found: any3(found), "all": lambda items, found: all3(found),
          "map": lambda items, found: UNKNOWN if UNKNOWN in found else found,
          "filter": lambda items, found: UNKNOWN if UNKNOWN in found else [i for i, f in zip(items, found) if f]}
