import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { DatabaseError } from "pg";
import {
  attemptFailure,
  endsConnection,
  isServerReply,
  isUnprepared,
  lostError,
  replyError,
} from "../../../../src/backends/postgres/connections/errors.ts";
import type { SqlFailure } from "../../../../src/backends/sql/client.ts";

type Reply = Parameters<typeof endsConnection>[0];

function reply(code: string, severity = "ERROR", message = "so it is"): Reply {
  const error = Object.assign(new DatabaseError(message, 1, "error"), { code, severity });
  assert.ok(isServerReply(error));
  return error;
}
const hide = (text: string): string => text.replaceAll("hidden", "***");

void describe("what a code of Postgres means", () => {
  const meanings: Readonly<Record<string, SqlFailure>> = {
    "40001": "busy",
    "40P01": "busy",
    "55P03": "busy",
    "57014": "busy",
    "23505": "busy",
    "26000": "busy",
    "42P05": "busy",
    "0A000": "busy",
    "53100": "unavailable",
    "53300": "unavailable",
    "57P01": "unavailable",
    "57P02": "unavailable",
    "57P03": "unavailable",
    "25006": "unavailable",
    "58030": "unavailable",
    // One of our tables is gone, and may be restored.
    "42P01": "unavailable",
    "08006": "lost",
    "25P03": "lost",
    "42501": "refused",
    "42601": "refused",
    "23502": "refused",
    "22P02": "refused",
    XX000: "refused",
  };
  for (const [code, failure] of Object.entries(meanings)) {
    void it(`${code}: ${failure}`, () => assert.equal(replyError(reply(code), hide).failure, failure));
  }

  void it("ends the connection where nothing works on it any more", () => {
    for (const code of ["57P01", "25006", "25P03", "0A000", "08P01"]) assert.ok(endsConnection(reply(code)), code);
    assert.ok(endsConnection(reply("28000", "FATAL")));
    for (const code of ["40001", "55P03", "42601", "26000"]) assert.ok(!endsConnection(reply(code)), code);
  });

  void it("is told from an error of the system", () => {
    const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE", errno: -32, syscall: "write" });
    for (const error of [broken, new Error("x"), undefined, "40001"]) assert.ok(!isServerReply(error));
    assert.ok(isUnprepared(reply("26000")) && isUnprepared(reply("42P05")) && !isUnprepared(reply("42601")));
  });

  void it("says whether another attempt to connect may go better", () => {
    const finals = ["53300", "57P03", "28P01", "28000", "3D000", "42501"].map(
      (code) => attemptFailure(reply(code, "FATAL"), "there", hide).final,
    );
    assert.deepEqual(finals, [false, false, true, true, true, true]);
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const { error, final } = attemptFailure(new AggregateError([refused, refused]), "there", hide);
    assert.equal(final, false);
    assert.match(error.message, /there cannot be reached: connect ECONNREFUSED, connect ECONNREFUSED/);
  });
});

void describe("an error of Postgres", () => {
  void it("shows nothing that may hold a value", () => {
    const told = Object.assign(reply("23505", "ERROR", "a key is there twice, hidden"), {
      detail: "Key (k)=(secret) already exists.",
      where: "JSON data, line 1: secret",
      internalQuery: "SELECT 'secret'",
      hint: "secret",
      constraint: "t_pkey",
    });
    const error = replyError(told, hide);
    assert.equal(error.message, "the server said: a key is there twice, *** (23505)");
    const shown = inspect([error, lostError(told, hide), attemptFailure(told, "there", hide)], {
      depth: Infinity,
      showHidden: true,
    });
    assert.match(shown, /t_pkey/);
    assert.doesNotMatch(shown, /secret|hidden/);
    assert.doesNotMatch(replyError(reply("22P02", "ERROR", 'invalid: "secret"'), hide).message, /secret/);
  });
});
