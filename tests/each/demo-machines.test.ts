import assert from "node:assert/strict";
import { it } from "node:test";
import { Machines, noMachines } from "../support/machines.ts";
import { lacks } from "../support/redis/kinds.ts";
import { startRedis } from "../support/redis/server.ts";
import { start } from "./running.ts";
import { folderFor } from "./support.ts";

const orders = 1_500;
const skip =
  process.platform !== "linux" ? "machines are made of what Linux has" : lacks("redis") || (noMachines() ?? false);

void it(
  "demos of two machines on one store at a time: each one's audit finds no difference",
  { skip, timeout: 120_000 },
  async (t) => {
    const machines = new Machines(2);
    t.after(() => machines.remove());
    const settings = { bind: `127.0.0.1 ${machines.address}` };
    const redis = await startRedis({ kind: "redis", appendonly: "everysec", settings });
    t.after(() => redis.stop());
    const store = `redis://${machines.address}:${redis.port}`;
    const args = ["demo", "--json", "--orders", String(orders), "--store", store];
    const folder = folderFor(t);
    const runs = [0, 1].map((machine) => start(t, args, folder, { through: machines.on(machine) }));
    for (const { out, err } of await Promise.all(runs.map(async ({ ended }) => ended))) {
      const told = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const audit = told.find(({ type }) => type === "audit");
      const what = err + out.slice(-2_000);
      assert.ok(audit, what);
      assert.deepEqual([audit["differences"], audit["settledOnce"]], [0, orders], what);
      assert.ok(
        told.some(({ type }) => type === "killed"),
        "a worker was killed, by its id on that machine",
      );
    }
  },
);
