import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import { memcached } from "../../../../src/entries/memcached.ts";
import { connect } from "../../../../src/entries/index.ts";
import { kinds, lacks, startMemcached } from "../../../support/memcached/server.ts";
import { makeCertificate } from "../../../support/redis/certificate.ts";

for (const kind of kinds) {
  describe(`TLS to ${kind}`, { skip: lacks(kind) }, () => {
    it("is had by the scheme and by options, and a certificate that nobody trusts is refused", async () => {
      const folder = mkdtempSync(path.join(tmpdir(), "holdfast-tls-"));
      const { cert, key } = makeCertificate();
      const files = { cert: path.join(folder, "cert"), key: path.join(folder, "key") };
      writeFileSync(files.cert, cert);
      writeFileSync(files.key, key);
      const ping = async (port: number): Promise<void> => {
        const socket = connectTls({ port, host: "127.0.0.1", ca: cert });
        try {
          await once(socket, "secureConnect");
        } finally {
          socket.destroy();
        }
      };
      const settings = ["-Z", "-o", `ssl_chain_cert=${files.cert},ssl_key=${files.key}`];
      const server = await startMemcached({ kind, settings, ping });
      const url = server.url.replace("memcached:", "memcacheds:");
      try {
        const backend = memcached({ url, tls: { ca: cert } });
        const hf = await connect(backend);
        const large = "v".repeat(500_000);
        await hf.state("s").save("k", large);
        assert.equal(await hf.state("s").load("k"), large);
        await hf.close();
        await backend.close();
        for (const wrong of [url, server.url]) {
          await assert.rejects(connect(wrong, { timeout: "5s" }), {
            code: "UNAVAILABLE",
            message: /cannot be reached/,
          });
        }
      } finally {
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
}
