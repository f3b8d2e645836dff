"""What the protocol of exactly once rests on, and what may go wrong around it."""

# Each rule: the sentence of the design that it is, and where the daemon keeps it.
RULES = {
    "one transaction": ("the partition record is in the transaction of the states that it belongs to",
                        "commit.c: transact"),
    "offsets always": ("every transaction, also one of timers only, sends an absolute offset for every partition whose "
                       "state it touches", "commit.c: offsets_of"),
    "revocation drops": ("group metadata is taken in the assign callback; a revocation drops metadata, collected "
                         "events and copies together", "inbox_kafka.c: take_rebalance; partitions.c: reassign"),
    "copies die": ("states live for the batch only: after an abort they are loaded again",
                   "round.c: round_step; commit.c: again"),
    "uncertain replaces": ("after an error at commit whose outcome isn't certain, the producer is replaced and all "
                           "partitions are taken over anew", "outbox_kafka.c: finish; commit.c: replace"),
    "commit first": ("only after the commit returned success, Redis is written", "commit.c: committed, follow"),
    "store compares": ("the script writes only if the stored watermark is the one the worker knows",
                       "cache_redis.c: script_store"),
    "missing refuses": ("a missing hash is a refusal", "cache_redis.c: script_store"),
    "watermark last": ("the script sets the new watermark last", "cache_redis.c: script_store"),
    "chunk's watermark": ("a replay's scripts each move the watermark to what they covered", "takeover.c: write_chunk"),
    "load compares": ("every read fetches the watermark; if that isn't the one the worker knows, nothing read is used",
                      "cache_redis.c: take_load; round.c: load_all"),
    "idle looks": ("the poll for due timers makes this happen on idle partitions too", "round.c: wants_turn"),
    "barrier": ("the committed offsets are fetched with read_committed: this waits until a former owner's pending "
                "offsets are decided", "takeover.c: fetch_committed"),
    "acknowledged": ("all records are acknowledged before the offsets are sent", "outbox_kafka.c: outbox_commit"),
    "position from record": ("the position comes from the partition record, not from the group's offset",
                             "partitions.c: read_running"),
    "high watermark": ("the changelog is replayed to the high watermark, not to the last stable offset",
                       "takeover.c: advance"),
    "barrier first": ("the high watermark is read after the barrier", "takeover.c: run_steps"),
}

FAULTS = {
    "rebalance": "the group moves partitions, or only its generation",
    "crash": "a worker dies and starts again; the group moves its partitions",
    "expired": "the coordinator aborts a transaction that is in use",
    "aborted": "a record isn't acknowledged: the worker aborts, with success",
    "uncertain": "the commit's answer is lost, whether or not it was decided",
    "flushed": "Redis loses everything",
    "restored": "Redis comes back with older data",
    "store": "the store's answer is lost: before it arrived, after, halfway through, or it arrives much later",
}
