"""Takes a right from everybody and gives it back, by Kafka's own requests (its tool for that isn't in its core's jar, and
librdkafka 2.0.2 knows no rules of transactional ids).

The broker needs SERVER; where nothing is ruled, all is allowed."""

import socket
import struct

from cases import equal

SERVER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
          "allow.everyone.if.no.acl.found": "true"}
CREATE, DELETE, VERSION = 30, 31, 1
RESOURCES = {"topic": 2, "group": 3, "transactional id": 5}
OPERATIONS = {"any": 1, "all": 2, "read": 3, "write": 4, "describe": 8, "describe configs": 10}
ANY, DENY, ALLOW, LITERAL = 1, 2, 3, 3


def deny(kafka, resource, name, operation):
    """Where a resource has any rule at all, what no rule allows is denied: so all else is allowed."""
    ask(kafka, CREATE, [rule(resource, name, b"User:*", b"*", "all", ALLOW),
                        rule(resource, name, b"User:*", b"*", operation, DENY)])


def allow(kafka, resource, name):
    """Takes back all rules of the resource."""
    ask(kafka, DELETE, [rule(resource, name, None, None, "any", ANY)])


def text(bytes_):
    return struct.pack(">h", -1) if bytes_ is None else struct.pack(">h", len(bytes_)) + bytes_


def rule(resource, name, principal, host, operation, permission):
    return (struct.pack(">b", RESOURCES[resource]) + text(name.encode()) + struct.pack(">b", LITERAL) + text(principal)
            + text(host) + struct.pack(">bb", OPERATIONS[operation], permission))


def ask(kafka, api, rules):
    request = struct.pack(">hhi", api, VERSION, 1) + text(b"acl.py") + struct.pack(">i", len(rules)) + b"".join(rules)
    with socket.create_connection(("127.0.0.1", kafka.port), 30) as s:
        s.sendall(struct.pack(">i", len(request)) + request)
        answer = s.makefile("rb")
        body = answer.read(struct.unpack(">i", answer.read(4))[0])
    _, _, n, first_error = struct.unpack(">iiih", body[:14])
    equal((n, first_error), (len(rules), 0), "rules and the first one's error")
