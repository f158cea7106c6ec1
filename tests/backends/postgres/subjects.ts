import type { Reach } from "../../../scripts/lib/backends.ts";
import { postgresBackend } from "../../../src/backends/postgres/index.ts";
import type { TestSubject } from "../../support/conform.ts";
import { postgresApplication } from "../../support/sql/application.ts";
import { placeOnTables } from "../../support/sql/place.ts";
import { sharedBouncer, sharedServer } from "../../support/sql/shared.ts";
import type { PgBouncerKind, PostgresKind } from "./servers.ts";

/** In ms. With many tests beside, this process or the server may stand still for longer than the default. */
const connectTimeout = 20_000;

/** The kinds of server that are there, and each PgBouncer in front of the oldest. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  const kind = server as PostgresKind | PgBouncerKind;
  return [
    {
      name: backend,
      // Another version, or a pooler in front of that one.
      like: kind === "postgres15" ? undefined : "postgres15",
      // They come by a connection beside the pooler. One version of it proves that.
      ownSignals: kind === "pgbouncer126",
      async place() {
        const isBouncer = kind.startsWith("pgbouncer");
        const running = await sharedServer(isBouncer ? "postgres15" : (kind as PostgresKind));
        const { url } = isBouncer ? await sharedBouncer(kind as PgBouncerKind) : running;
        // Notifications do not come through a pooler that hands a session on.
        const listenUrl = isBouncer ? running.url : undefined;
        return placeOnTables(
          running,
          "public",
          (prefix) => postgresBackend({ url, listenUrl, prefix, connectTimeout }),
          async (prefix) => postgresApplication(url, prefix),
        );
      },
    },
  ];
}
