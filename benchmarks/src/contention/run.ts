// Records that many want at once: updates of one key, and transactions on few accounts, on `file:` and on Redis.
//
//   node src/contention/run.ts [hot] [transact] [--stores file,redis] [--rounds 5] [--seconds 3]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer } from "../redis/server.ts";
import { withheld } from "../withheld.ts";
import { hot } from "./hot.ts";
import { transactions } from "./transact.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stores: { type: "string", default: "file,redis" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
  },
});
const rounds = Number(values.rounds);
const parts = positionals.length > 0 ? positionals : ["hot", "transact"];

const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-contention-"));
const server = values.stores.includes("redis") ? await startServer() : undefined;
try {
  for (const store of values.stores.split(",")) {
    const [own, loop] =
      store === "redis"
        ? [`${server?.url}?settings=warn`, server?.url as string]
        : [`file:${join(directory, "holdfast")}`, join(directory, "raw")];
    for (const part of parts) {
      const share = withheld();
      if (part === "hot") await hot(store, own, rounds);
      else await transactions(store, own, loop, rounds, Number(values.seconds) * 1_000);
      const percent = share();
      if (percent !== undefined)
        console.log(`  the host withheld ${percent.toFixed(1)} % of the cores' time meanwhile`);
    }
  }
} finally {
  await server?.stop();
  rmSync(directory, { recursive: true });
}
