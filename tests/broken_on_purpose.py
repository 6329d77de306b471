# SPDX-License-Identifier: Apache-2.0
"""Breaks one rule after another in a copy of the project and shows the test that fails for it.

``make broken``. A break that no test notices ends the run with status 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOM = "source/waiting_room"
LUA = "source/waiting_room/adapters/lua"
TABLES = "source/waiting_room/adapters"
UNIT = "tests/unit"
CHAOS = "tests/chaos/test_chaos.py"
GATE = f"{ROOM}/gate"
PANEL, PANEL_TESTS = "source/sites/control_panel", "tests/e2e/test_control_panel.py"
PAGE = "source/sites/waiting_room/waiting-room.js"


@dataclass(frozen=True)
class Break:
    """One change that must not go unnoticed."""

    rule: str
    file: str
    old: str
    new: str
    tests: str


BREAKS = (
    Break("1 unique: a number given twice",
          "source/waiting_room/queue.py", "position=start + index", "position=start + index // 2",
          f"{UNIT}/test_invariants.py"),
    Break("1 unique, 2 stable: rows written over",
          "source/waiting_room/adapters/memory.py",
          "row.request_id: self._rows.setdefault((row.event_id, row.request_id), row)",
          "row.request_id: (self._rows.__setitem__((row.event_id, row.request_id), row), row)[1]",
          "tests/contract/test_tables.py"),
    Break("1 unique, 2 stable: the real store overwrites",
          f"{TABLES}/dynamodb_items.py", 'if code == "DuplicateItem":', 'if code == "Never":',
          "tests/contract/test_tables.py"),
    Break("3 fair: batches in order of delivery",
          "source/waiting_room/queue.py",
          "sorted(joins, key=lambda join: (join.sent_at, join.message_id, join.request_id))",
          "joins", f"{UNIT}/test_queue.py"),
    Break("3 fair: junk is placed too",
          "source/waiting_room/messages.py", "dead[letter.message_id] = letter",
          "joins.append(Join(letter.message_id, 0.0, letter.message_id))",
          f"{UNIT}/test_queue.py"),
    Break("4 counted: holes counted as waiting",
          "source/waiting_room/records.py",
          "self.queue - self.holes - self.tokens", "self.queue - self.tokens",
          f"{UNIT}/test_invariants.py"),
    Break("4 counted: expired visitors counted as waiting",
          "source/waiting_room/records.py", "self.tokens - self.expired)", "self.tokens)",
          f"{UNIT}/test_expiry.py"),
    Break("5 idempotent: the later token wins",
          f"{TABLES}/dynamodb_outcomes.py",
          'ConditionExpression="attribute_not_exists(#line)",',
          'ConditionExpression="attribute_not_exists(#line) OR #line > :zero",\n'
          '                    ExpressionAttributeValues={":zero": {"S": "!"}},',
          "tests/contract/test_tables.py"),
    Break("5 idempotent: counted at each call (Redis)",
          f"{LUA}/alive.lua", "redis.call('SETBIT', TAKEN, position, 1) == 1", "false",
          "tests/contract/test_counters.py"),
    Break("6 never ahead: the counter is not asked",
          f"{ROOM}/turns.py", "if row.position > admission.serving or admission.served_at is None:",
          "if False:", f"{UNIT}/test_tokens.py"),
    Break("6 never ahead: expiry is not asked",
          f"{ROOM}/turns.py", "if event.position_expiry_enabled and expiry.is_expired(",
          "if not expiry.is_expired(",
          f"{UNIT}/test_tokens.py"),
    Break("7 recoverable: a lost copy is an error",
          "source/waiting_room/recovery.py", "except CountersLost:\n                pass",
          "except CountersLost:\n                raise",
          f"{UNIT}/test_room.py"),
    Break("7 recoverable: a restarted server is trusted",
          f"{LUA}/alive.lua", "redis.call('HGET', STATE, 'run') == RUN",
          "redis.call('EXISTS', STATE) == 1", "tests/races/test_recovery.py"),
    Break("7 recoverable: what was read before a second loss is restored",
          f"{LUA}/restore.lua", "then return LOST end", "then end",
          "tests/contract/test_counters.py"),
    Break("7 recoverable: who reads on after a second loss is not told",
          f"{TABLES}/memory.py", 'raise CountersLost("read again")', "return",
          "tests/contract/test_counters.py"),
    Break("7 recoverable: the rows after a checkpoint are left out",
          "source/waiting_room/account.py", "return with_rows(start, snapshot.tokens)",
          "return start", "tests/contract/test_counters.py"),
    Break("8 reset: older rows stay visible",
          f"{ROOM}/places.py",
          "if row.generation < admission.generation:", "if False:", f"{UNIT}/test_room.py"),
    Break("8 reset: joins from before it join the new line",
          "source/waiting_room/queue.py", "join.sent_at <= reset_at", "join.sent_at <= -1",
          f"{UNIT}/test_room.py"),
    Break("8 reset: the generation is remembered too long",
          "source/waiting_room/settings.py", "GENERATION_CACHE = 2.0", "GENERATION_CACHE = 20.0",
          f"{UNIT}/test_room.py"),
    Break("9 no secret: the error's text is answered",
          "source/waiting_room/web.py", '{"error": "internal error"}', '{"error": str(error)}',
          "tests/apps/test_public_and_private_api.py"),
    Break("9 no secret: keys show themselves",
          "source/waiting_room/signing.py", "field(repr=False)", "field(repr=True)",
          f"{UNIT}/test_tokens.py"),
    Break("5 idempotent: a token that was not counted dies with its turn",
          f"{ROOM}/turns.py",
          "            if stands is None:\n                raise\n", "            raise\n",
          f"{UNIT}/test_tokens.py"),
    Break("tokens: a damaged key signs",
          "source/waiting_room/signing.py", "fits = p * q == n and", "fits = ",
          f"{UNIT}/test_signing.py"),
    Break("10 nothing lost: failed rows are acknowledged",
          f"{ROOM}/assigner.py",
          "failed = {request_id for request_id, row in stands.items() if row is None} | busy",
          "failed = busy", f"{UNIT}/test_queue.py"),
    Break("10 nothing lost: joins of a busy worker are dropped",
          f"{ROOM}/assigner.py",
          "if row is None} | busy", "if row is None}", f"{UNIT}/test_queue.py"),
    Break("expiry: at the second, not after it",
          "source/waiting_room/expiry.py", "now) < 0", "now) <= 0", f"{UNIT}/test_expiry.py"),
    Break("expiry: a missing row of the log keeps visitors out",
          f"{ROOM}/serving.py", "if step.version != version + 1:", "if False:",
          f"{UNIT}/test_expiry.py"),
    Break("expiry: a turn is shorter where a row of the log is missing",
          f"{ROOM}/serving.py", "served = _up_to(served, min(swept, step.previous))",
          "served = _up_to(served, step.previous)", f"{UNIT}/test_expiry.py"),
    Break("expiry: a token is swept as a no-show",
          "source/waiting_room/expiry.py", "tokens += 1", "expired += 1", f"{UNIT}/test_expiry.py"),
    Break("expiry: holes stop the sweep",
          "source/waiting_room/expiry.py", "        reached = position",
          "        if row is None:\n            break\n        reached = position",
          f"{UNIT}/test_expiry.py"),
    Break("9 no secret: libraries log requests and answers",
          f"{TABLES}/aws.py", "setLevel(logging.INFO)", "setLevel(logging.NOTSET)",
          "tests/apps/test_logs.py"),
    Break("input: a GET with another content type is refused by the framework",
          "source/waiting_room/web.py", 'ANY_TYPE = ["*/*"]', 'ANY_TYPE = ["application/json"]',
          "tests/fuzz/test_events.py"),
    Break("input: of a doubled member the last one counts",
          f"{ROOM}/reading.py", "        if name in found:", "        if False:",
          "tests/unit/test_reading.py"),
    Break("input: half of a surrogate pair is let in",
          f"{ROOM}/reading.py", "except UnicodeEncodeError:", "except UnicodeDecodeError:",
          "tests/unit/test_reading.py"),
    Break("input: an error of a text's shape leaves its parser",
          f"{ROOM}/reading.py", "    ValueError, TypeError,", "    TypeError,",
          "tests/fuzz/test_parsers.py"),
    Break("input: a client that knows the secret breaks the provider",
          f"{ROOM}/oidc.py", "except (jwt.PyJWTError, InvalidInput, *UNREADABLE):",
          "except (jwt.PyJWTError, KeyError, TypeError):", "tests/fuzz/test_parsers.py"),
    Break("input: a refused request changes something",
          "source/private_api/app.py", "    content = body(app.current_request)\n    by =",
          "    room().set_message(settings().events[0].event_id, 'x')\n"
          "    content = body(app.current_request)\n    by =", "tests/fuzz/test_events.py"),
    Break("input: one odd message spoils its batch",
          "source/waiting_room/messages.py", "except (InvalidInput, *UNREADABLE) as error",
          "except (InvalidInput, KeyError) as error", "tests/fuzz/test_events.py"),
    Break("11 server-made: a caller's header is the request id",
          "infrastructure/enqueue.py", '"api_request_id": "$id"',
          '"api_request_id": "$context.requestId"',
          "tests/apps/test_join.py"),
    Break("11 server-made: anybody says what a join's first id was",
          "source/waiting_room/messages.py",
          """if not redrive_role_id or not str(attributes["SenderId"]).startswith""",
          "if False and not str(attributes).startswith", f"{UNIT}/test_queue.py"),
    Break("11 server-made: the edge passes every header on",
          "deployment/local/edge.py", "many_headers.items() if name in names}",
          "many_headers.items()}", f"{UNIT}/test_local_edge.py"),
    Break("10 nothing lost: a dead letter that was not taken is deleted",
          "source/workers/app.py", "sorted(retry | left)", "sorted(retry)",
          "tests/apps/test_workers.py"),
    Break("junk: a message that can be no join comes again",
          "source/workers/app.py", "        left = joins_queue().bury(dead)\n",
          "        left = frozenset(letter.message_id for letter in dead)\n",
          "tests/apps/test_workers.py"),
    Break("4 counted: what a lost reservation took waits until the audit",
          f"{ROOM}/assigner.py", "if unused:", "if False:", f"{UNIT}/test_queue.py"),
    Break("4 counted: what a lost reservation took is never found",
          f"{TABLES}/dynamodb_serving_log.py", '"SET #was = if_not_exists(#mine, :none)',
          '"SET #was = if_not_exists(#was, :none)', "tests/contract/test_tables.py"),
    Break("4 counted: the number of a row without an answer waits until the audit",
          f"{ROOM}/assigner.py", "found.append(unsure.position)", "pass", f"{UNIT}/test_queue.py"),
    Break("10 nothing lost: joins that were given up are busy for a minute",
          f"{ROOM}/assigner.py", "self._counters.unclaim(event_id, request_ids, now)", "pass",
          f"{UNIT}/test_queue.py"),
    Break("junk: readers that differ let a body through",
          "infrastructure/enqueue.py", "matches('{events}') == false", "matches('{events}') == 5",
          "tests/fuzz/test_events.py"),
    Break("theft: any secret opens a place",
          "source/waiting_room/queue.py",
          "if not hmac.compare_digest(given, position.client_secret_hash):",
          "if not hmac.compare_digest(given, position.client_secret_hash) and False:",
          "tests/apps/test_theft.py"),
    Break("theft: a compulsory secret may be left out at the join",
          "infrastructure/enqueue.py",
          '*(["client_secret_hash"] if secret_required else [])', "",
          "tests/apps/test_theft.py"),
    Break("panel: places beyond the queue count as open",
          f"{PANEL}/figures.js", "const called = Math.min(serving, queue);",
          "const called = serving;", f"{UNIT}/test_control_panel_logic.py"),
    Break("panel: an exported text is a formula",
          f"{PANEL}/csv.js", "text = `'${text}`", "text = `${text}`",
          f"{UNIT}/test_control_panel_logic.py"),
    Break("panel: a failed move is sent again",
          f"{PANEL}/session.js", "retries: 0,", "retries: 2,", PANEL_TESTS),
    Break("panel: keys stay in the form",
          f"{PANEL}/sign-in.js", "for (const id of SECRETS) byId(id).value = '';", "", PANEL_TESTS),
    Break("panel: a reset without its name",
          f"{PANEL}/confirm.js", "if (typed && input.value !== typed) {", "if (false) {",
          PANEL_TESTS),
    Break("2 stable, 10: a row written twice is taken for another's",
          f"{TABLES}/dynamodb_positions.py", "            stands.update(older)\n", "",
          "tests/contract/test_tables.py"),
    Break("3 fair: a redriven join is the youngest",
          "source/waiting_room/messages.py",
          "min(taken, _milliseconds(more[FIRST_SENT]))", "taken",
          f"{UNIT}/test_queue.py"),
    Break("4 counted: rows left out by a rebuild stay uncounted",
          "source/waiting_room/recovery.py", "if asked.unverified > state.settled:", "if False:",
          f"{UNIT}/test_recovery.py"),
    Break("4 counted: a session ended by a repeated write is not counted",
          f"{TABLES}/dynamodb_outcomes.py", 'text(stands, "ended_by") == mark', "False",
          f"{CHAOS}::test_a_session_ended_by_a_write_that_was_sent_twice_is_ended_and_counted"),
    Break("4 counted: the audit believes a clock that jumped",
          f"{ROOM}/minute_worker.py", "return min(now, other), max(now, other)", "return now, now",
          f"{UNIT}/test_room.py"),
    Break("4 counted: the state remembers holes without end",
          f"{TABLES}/dynamodb_serving_log.py", "size(#known_holes) < :most",
          "size(#known_holes) < :most OR :most > :generation", "tests/contract/test_tables.py"),
    Break("6 never ahead: a move back is made behind the counters' back",
          f"{ROOM}/ledger.py", "if after.serving < before.serving:", "if False:",
          f"{UNIT}/test_room.py"),
    Break("6 never ahead: a reset is made behind the counters' back",
          f"{ROOM}/controls.py", "self._ledger.announce_lowering(before)", "pass",
          f"{UNIT}/test_room.py"),
    Break("6 never ahead: a copy behind the table is trusted",
          f"{ROOM}/ledger.py", "if _is_behind(answer, state):", "if False:",
          f"{UNIT}/test_room.py"),
    Break("6 never ahead: a copy that an announced write may have passed is trusted",
          f"{ROOM}/ledger.py", " and answer.lowering <= answer.version:", ":",
          f"{UNIT}/test_room.py"),
    Break("6 never ahead: a rebuilt copy does not know the announcement",
          f"{TABLES}/redis_counters.py", '"lowering": state.lowering,', "",
          "tests/contract/test_counters.py"),
    Break("6 never ahead: what was read before the announcement is restored",
          f"{LUA}/end_rebuilds.lua", "redis.call('DEL', KEYS[8], KEYS[9])\n", "",
          "tests/contract/test_counters.py"),
    Break("6 never ahead: a reset is written over a move that it did not announce",
          f"{TABLES}/dynamodb_serving_log.py", " AND #version = :version", "",
          "tests/contract/test_tables.py"),
    Break("7 recoverable: a primary that was promoted again is trusted",
          f"{LUA}/alive.lua", ".. ':' .. string.match(REPLICATION, 'master_replid:(%w+)')", "",
          f"{CHAOS}::test_a_primary_that_was_demoted_and_promoted_again_is_not_trusted"),
    Break("7 recoverable: a demoted primary answers",
          f"{LUA}/alive.lua", "string.find(REPLICATION, 'role:master', 1, true) and ", "",
          f"{CHAOS}::test_a_demoted_primary_answers_nobody"),
    Break("7 recoverable: every caller rebuilds",
          f"{LUA}/begin_rebuild.lua", "== RUN then return 2 end", "== RUN then end",
          f"{CHAOS}::test_one_function_rebuilds_while_the_others_wait"),
    Break("7 recoverable: a server that takes no writes is a 500",
          f"{TABLES}/redis_counters.py",
          "isinstance(error, NOT_NOW) or str(error).startswith(NOT_NOW_CODES)", "False",
          f"{CHAOS}::test_a_server_that_takes_no_writes_is_no_500"),
    Break("8 reset: answered before the counters know it",
          f"{ROOM}/room.py", "self._ledger.apply_now(after)", "self._ledger.apply(after)",
          f"{UNIT}/test_room.py"),
    Break("10 nothing lost: throttled rows are not sent again",
          f"{TABLES}/dynamodb_items.py", "        time.sleep(", "        float(",
          f"{UNIT}/test_throttling.py"),
    Break("expiry: a clock that stepped back shortens turns",
          "source/waiting_room/serving.py", "if now < last <= now + CLOCK_STEP:", "if False:",
          f"{UNIT}/test_room.py"),
    Break("expiry: it stops while the counters are away",
          f"{ROOM}/minute_worker.py",
          "        self._ledger.best_effort(\n            event_id,\n            lambda: self._rec",
          "        self._ledger.ask(\n            event_id,\n            lambda: self._rec",
          f"{UNIT}/test_room.py"),
    Break("keys: two rotations at once",
          f"{ROOM}/publication.py",
          "return bool(self.ticket) and now < self.until", "return False",
          f"{UNIT}/test_key_ring.py"),
    Break("keys: a publication is replaced unread",
          f"{TABLES}/dynamodb_public_keys.py",
          "ConditionExpression=condition", 'ConditionExpression="attribute_exists(#version) OR '
          'attribute_not_exists(#version)"', "tests/contract/test_keys.py"),
    Break("keys: a secret is replaced unread",
          f"{TABLES}/secrets_keys.py",
          "VersionStages=[PROPOSED]", "VersionStages=[CURRENT]", "tests/contract/test_keys.py"),
    Break("keys: a published key leaves while a copy of it may sign",
          f"{ROOM}/publication.py",
          "KEPT_AFTER = LONGEST_OUTAGE + MAX_VALIDITY", "KEPT_AFTER = MAX_VALIDITY",
          f"{UNIT}/test_key_ring.py"),
    Break("keys: a key signs before its publication is confirmed",
          f"{ROOM}/publication.py",
          "return self.confirmed and self.signs_from <= now", "return self.signs_from <= now",
          f"{UNIT}/test_key_ring.py"),
    Break("keys: a copy that cannot be read again signs for ever",
          f"{TABLES}/kept.py",
          " or self._monotonic() - self._read_at > LONGEST_OUTAGE", "", f"{UNIT}/test_tokens.py"),
    Break("keys: silence of the secret store is taken for no key",
          f"{TABLES}/secrets_keys.py",
          "except self._client.exceptions.ResourceNotFoundException:", "except Exception:",
          f"{UNIT}/test_tokens.py"),
    Break("9 no secret in a browser store: the page keeps the tokens",
          PAGE, "write({ ...place, taken: true });",
          "write({ ...place, taken: true, ...content });", f"{UNIT}/test_sites_modules.py"),
    Break("page: each tab joins for itself",
          PAGE, "if (place && !over) return;", "", f"{UNIT}/test_sites_modules.py"),
    Break("page: it gives up after ten tries",
          PAGE, "await sleep(pause);", "await sleep(failures > 10 ? Infinity : pause);",
          f"{UNIT}/test_sites_modules.py"),
    Break("page: hidden tabs go on asking",
          PAGE, "if (browser.hidden() && !told)", "if (false)", f"{UNIT}/test_sites_modules.py"),
    Break("12 isolated: shared answers do not collapse",
          "infrastructure/resources.py", "SHARED = 1 ", "SHARED = 0 ",
          f"{UNIT}/test_local_edge.py"),
    Break("12 isolated: an error of a shared answer is kept",
          "infrastructure/resources.py", "503, 504), 0)", "503, 504), 10)",
          f"{UNIT}/test_local_edge.py"),
    Break("12 isolated: a page of ended sessions begins where DynamoDB refuses to",
          f"{TABLES}/dynamodb_outcomes.py", "if ends > now else {}", "if ends else {}",
          "tests/contract/test_tables.py"),
    Break("12 isolated: a page of ended sessions has no limit",
          f"{TABLES}/dynamodb_outcomes.py", "Limit=limit - len(found),", "Limit=10**6,",
          "tests/contract/test_tables.py"),
    Break("8 reset: an expired answer stands for an origin that is away without a limit",
          f"{ROOM}/web.py", ", stale-if-error=", ", x-stale-if-error=",
          f"{UNIT}/test_local_edge.py"),
    Break("gate: a preflight passes unchecked",
          f"{GATE}/entry.py", "self._preflight(visit)\n", "Pass()\n",
          f"{UNIT}/test_gate.py"),
    Break("gate: any page hands over a token",
          f"{GATE}/entry.py", "if not is_sent_by(", "if False and not is_sent_by(",
          f"{UNIT}/test_gate.py"),
    Break("gate: a form without any header that tells its page",
          f"{GATE}/origins.py", 'origin_of(headers.get("referer", "")) in own | others', "True",
          f"{UNIT}/test_gate.py"),
    Break("gate: a WebSocket outlives its session",
          f"{GATE}/connections.py", "self._wait(self._until))", "asyncio.Event().wait())",
          f"{UNIT}/test_gate_connections.py"),
    Break("gate: the site reads on after the session",
          f"{GATE}/connections.py", "if self._now() >= self._until:", "if False:",
          f"{UNIT}/test_gate_connections.py"),
    Break("gate: an excluded path in one reading only",
          f"{GATE}/paths.py", "if all(_fits(reading, rule) for reading in found)",
          "if any(_fits(reading, rule) for reading in found)", f"{UNIT}/test_gate_paths.py"),
    Break("gate: parameters of a path hide it",
          f"{GATE}/paths.py", "    _without_parameters,\n", "", f"{UNIT}/test_gate_paths.py"),
    Break("gate: an image of another site replaces the address to come back to",
          f"{GATE}/entry.py", "if not html or not is_navigation(visit.headers):", "if not html:",
          f"{UNIT}/test_gate.py"),
)  # fmt: skip


def notices(broken: Break, folder: Path) -> bool:
    """Whether the tests fail with this break."""
    path = folder / broken.file
    whole = path.read_text()
    if whole.count(broken.old) < 1:
        raise SystemExit(f"the break of rule {broken.rule} no longer fits {broken.file}")
    path.write_text(whole.replace(broken.old, broken.new, 1))
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", broken.tests],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=900,
        )
    finally:
        path.write_text(whole)
    if run.returncode not in (0, 1):
        print(run.stdout[-3000:], run.stderr[-2000:])
    return run.returncode == 1


def main() -> int:
    """Try every break, or those whose rule holds a text; answers 1 when one went unnoticed."""
    words = sys.argv[1:]
    chosen = [one for one in BREAKS if not words or any(word in one.rule for word in words)]
    unnoticed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("source", "tests", "infrastructure", "deployment", "docs", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        for broken in chosen:
            seen = notices(broken, folder)
            unnoticed += not seen
            word = "noticed  " if seen else "UNNOTICED"
            print(f"{word}  {broken.rule}  ({broken.tests})", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} breaks were noticed")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
