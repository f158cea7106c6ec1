// SQL servers: state and locks beside raw pools and other packages. Starts the servers that the tests use.
//
//   node --expose-gc src/sql/run.ts [parts...] [--servers postgres15,mariadb] [--url postgres://...] [--scale 0.1] [--seconds 4]
//
// Parts: state, contended, hot, size; all of them unless told.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { sqlKinds, startSql } from "../../../tests/support/sql/kinds.ts";
import { withheld } from "../withheld.ts";
import { contended } from "./contended.ts";
import { hot } from "./hot.ts";
import { size, state } from "./state.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string" },
    servers: { type: "string", default: "postgres15,mariadb,mysql" },
    scale: { type: "string", default: "1" },
    seconds: { type: "string", default: "4" },
  },
});
const scale = Number(values.scale);

const parts: Readonly<Record<string, (url: string) => Promise<void>>> = {
  state: (url) => state(url, scale),
  contended: (url) => contended(url, Number(values.seconds) * 1_000),
  hot: (url) => hot(url, scale),
  size: (url) => size(url, scale),
};

async function run(name: string, url: string): Promise<void> {
  console.log(`\n== ${name}, ${availableParallelism()} cores, Node ${process.version}`);
  for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
    const measure = parts[part];
    if (measure === undefined) throw new Error(`no such part: ${part}; there are ${Object.keys(parts).join(", ")}`);
    const share = withheld();
    await measure(url);
    const percent = share();
    if (percent !== undefined)
      console.log(`\n${part}: the host withheld ${percent.toFixed(1)} % of the cores' time meanwhile`);
  }
}

if (values.url !== undefined) await run("server", values.url);
else {
  for (const name of values.servers.split(",")) {
    const kind = sqlKinds.find((one) => one === name);
    if (kind === undefined) throw new Error(`no such server: ${name}; there are ${sqlKinds.join(", ")}`);
    const server = await startSql(kind, { flushes: true });
    try {
      await run(`${kind} ${server.version}`, server.url);
    } finally {
      await server.stop();
    }
  }
}
