// SQLite on the Node that ran npm: `better-sqlite3` has a binary for that one. Its parent says how many of what to run.
import Database from "better-sqlite3";

const [file, value] = process.argv.slice(2);
const sqlite = new Database(file);
sqlite.pragma("journal_mode = WAL");
sqlite.pragma("synchronous = FULL");
sqlite.exec("CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID");
const select = sqlite.prepare("SELECT value FROM kv WHERE key = ?");
const upsert = sqlite.prepare("INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");

const keys = Array.from({ length: 1_000 }, (_, i) => `order-${i}`);
const order = JSON.parse(value);
// A value is never what its row has: SQLite writes nothing, and flushes nothing, for a row that stays as it is.
let revision = 0;
const all = sqlite.transaction(() => keys.forEach((key) => upsert.run(key, value)));
all();

const work = {
  load: async (n) => {
    for (let i = 0; i < n; i++) await Promise.resolve(JSON.parse(select.get(keys[i % keys.length]).value));
  },
  save: async (n) => {
    for (let i = 0; i < n; i++) upsert.run(keys[i % keys.length], JSON.stringify({ ...order, revision: revision++ }));
  },
};

process.on("message", async ({ what, operations }) => {
  await work[what](operations);
  process.send("done");
});
process.on("disconnect", () => sqlite.close());
process.send("ready");
