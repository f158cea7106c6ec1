import { refusalFaults } from "../../../support/faults/refusals.ts";
import { lacks } from "../../../support/nats/kinds.ts";
import { startNats } from "../../../support/nats/server.ts";

// Servers before 2.11 drop what is too much, so a bucket with a limit is refused there.
for (const kind of ["nats"] as const) {
  refusalFaults(kind, lacks(kind), {
    name: "the bucket is full",
    says: /maximum bytes exceeded/,
    // What takes no more room than what it replaces is taken.
    releases: false,
    async start() {
      const server = await startNats({ kind });
      const connection = await server.connect();
      const ask = async (api: string, asked: object): Promise<{ config: object }> => {
        const reply = await connection.request(`$JS.API.STREAM.${api}.KV_full`, JSON.stringify(asked));
        return reply.json();
      };
      const limit = async (bytes: number): Promise<unknown> => {
        const { config } = await ask("INFO", {});
        return ask("UPDATE", { ...config, max_bytes: bytes });
      };
      return {
        url: `${server.url}/full`,
        begin: async () => limit(1),
        end: async () => limit(-1),
        async stop() {
          await connection.close();
          await server.stop();
        },
      };
    },
  });
}
