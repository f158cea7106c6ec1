// SQL servers: state and locks beside raw pools and other packages. Starts the servers that the tests use.
//
//   node --expose-gc src/sql/run.ts [parts...] [--servers postgres15,mariadb] [--url postgres://...] [--scale 0.1] [--seconds 3]
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
    seconds: { type: "string", default: "3" },
  },
});
const scale = Number(values.scale);

/** Room for all rows in memory, and for a minute of writes in the log, as a server has that does this work. */
const settings = {
  postgres: { shared_buffers: "2GB", max_wal_size: "4GB" },
  mysql: { "innodb-buffer-pool-size": "2G", "innodb-redo-log-capacity": "1G" },
  mariadb: { "innodb-buffer-pool-size": "2G", "innodb-log-file-size": "1G" },
} as const;

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
    const family = kind === "mysql" || kind === "mariadb" ? kind : "postgres";
    const server = await startSql(kind, { flushes: true, settings: settings[family] });
    try {
      await run(`${kind} ${server.version}`, server.url);
    } finally {
      await server.stop();
    }
  }
}
