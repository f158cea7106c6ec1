import { refuse, serve, threadData } from "../machine/serve.ts";
import { loadDriver } from "./driver.ts";
import { named } from "./failures.ts";
import { SqliteStore } from "./store.ts";
import type { ThreadData } from "./thread.ts";

/* The commit thread of SQLite. */
try {
  const driver = await loadDriver();
  serve(() => new SqliteStore(driver, threadData() as ThreadData));
} catch (error) {
  refuse(named(error));
}
