import type { Reach } from "../../../scripts/lib/backends.ts";
import { mysqlBackend } from "../../../src/backends/mysql/index.ts";
import type { TestSubject } from "../../support/conform.ts";
import { mysqlApplication } from "../../support/sql/application.ts";
import { placeOnTables } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";
import type { MysqlKind } from "./servers.ts";

/** In ms. With many tests beside, this process or the server may stand still for longer than the default. */
const connectTimeout = 20_000;

/** The kinds of server that are there. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  return [
    {
      name: backend,
      async place() {
        const running = await sharedServer(server as MysqlKind);
        const { url } = running;
        return placeOnTables(
          running,
          "holdfast",
          (prefix) => mysqlBackend({ url, prefix, connectTimeout }),
          async (prefix) => mysqlApplication(url, prefix),
        );
      },
    },
  ];
}
