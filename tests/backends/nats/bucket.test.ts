import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Kvm } from "@nats-io/kv";
import { natsBackend } from "../../../src/backends/nats/index.ts";
import { NatsStore } from "../../../src/backends/nats/store.ts";
import type { Limit } from "../../../src/backends/store/store.ts";
import { connect, examine, isHoldfastError } from "../../../src/entries/index.ts";
import { lacks } from "../../support/nats/kinds.ts";
import { startNats, type NatsServer } from "../../support/nats/server.ts";
import { until } from "../../support/servers/until.ts";
import type { NatsKind } from "./servers.ts";

interface Reply {
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: { readonly first_seq: number; readonly subjects?: object };
}

/** Whether a server can end keys by itself: since 2.11. */
const endsKeys = ({ version }: NatsServer): boolean => Number(version.split(".")[1]) >= 11;

for (const kind of ["nats29", "nats"] as const satisfies readonly NatsKind[]) {
  void describe(`a bucket of ${kind}`, { skip: lacks(kind) }, () => {
    let server: NatsServer;
    before(async () => {
      server = await startNats({ kind, settings: "max_payload: 64KB" });
    });
    after(async () => server.stop());

    /** Asks the server's API, apart from what is tested. */
    const ask = async (api: string, asked: object = {}): Promise<Reply> => {
      const connection = await server.connect();
      const reply = await connection.request(`$JS.API.STREAM.${api}`, JSON.stringify(asked));
      await connection.close();
      return reply.json<Reply>();
    };
    const make = async (name: string, config: object): Promise<Reply> =>
      ask(`CREATE.KV_${name}`, { name: `KV_${name}`, subjects: [`$KV.${name}.>`], allow_direct: true, ...config });

    void it("is made with one message a key, and refuses more than it can hold", async () => {
      const hf = await connect(`${server.url}/made`);
      await hf.state("s").save("k", 1);
      const { config } = await ask("INFO.KV_made");
      assert.deepEqual(
        [config["max_msgs_per_subject"], config["discard"], config["storage"], config["num_replicas"]],
        [1, "new", "file", 1],
      );
      assert.equal(config["allow_msg_ttl"] ?? false, endsKeys(server));
      assert.equal(config["subject_delete_marker_ttl"] ?? 0, 0);
      await hf.close();
    });

    void it("is one for other programs too", async () => {
      const hf = await connect(`${server.url}/others`, { service: "s" });
      await hf.state("n").save("k", "a value");
      const connection = await server.connect();
      const bucket = await new Kvm(connection).open("others");
      assert.match((await bucket.get("s1/s1/n.k"))?.string() ?? "", /a value/);
      await bucket.put("another", "program's");
      assert.deepEqual(await hf.state("n").count(), 1);
      await connection.close();
      await hf.close();
    });

    void it("takes what fits into a message of the server, and refuses early what does not", async () => {
      const hf = await connect(`${server.url}/large`);
      const store = hf.state<string>("s");
      const { maxValue } = hf.capabilities;
      assert.ok(maxValue > 58_000 && maxValue < 64 * 1_024, `${maxValue}`);
      const value = "x".repeat(maxValue - 2);
      await store.save("k".repeat(1_024), value);
      assert.equal(await store.load("k".repeat(1_024)), value);
      await assert.rejects(store.save("k", `${value}x`), (error) => isHoldfastError(error, "INVALID_ARGUMENT"));
      await hf.close();
    });

    void it("keeps nothing of what was removed or has ended, sooner or later", async () => {
      const backend = natsBackend({ url: `${server.url}/short` });
      const hf = await connect(backend);
      const store = hf.state<number>("s");
      await store.save("ends", 1, { ttl: "2s" });
      const entry = await store.loadEntry("ends");
      assert.ok((entry?.expiresAt ?? 0) > Date.now(), "the end is that of the value");
      await until("it is absent", async () => (await store.load("ends")) === undefined);
      assert.ok(Date.now() >= (entry?.expiresAt ?? Infinity), "not before its time");
      await store.save("ends", 2);
      assert.equal(await store.load("ends"), 2, "what has ended is no obstacle");
      for (let i = 0; i < 3; i++) {
        assert.equal(await store.delete("ends"), true);
        await store.save("ends", i, { if: { absent: true } });
      }
      await hf.close();
      await backend.close();
    });

    void it("that was lost is made anew, with a warning, and whoever watches hears of the gap", async () => {
      const hf = await connect(`${server.url}/lost`, { timeout: "5s" });
      const store = hf.state<number>("s");
      await store.save("k", 1);
      const first = (await ask("INFO.KV_lost")).state.first_seq;
      const heard: string[] = [];
      const watching = await store.watch();
      void (async () => {
        for await (const { type } of watching) heard.push(type);
      })();
      const warned = new Promise<Error>((resolve) => void process.once("warning", resolve));
      await ask("DELETE.KV_lost");
      await until("it is there again", async () =>
        store.save("k", 2).then(
          () => true,
          () => false,
        ),
      );
      assert.match((await warned).message, /the bucket lost was lost/);
      await until("the gap is told", async () => heard.includes("gap"));
      assert.equal(await store.load("k"), 2);
      assert.ok((await ask("INFO.KV_lost")).state.first_seq > first, "no number comes again");
      await hf.close();
    });

    void it("that has a limit is used where the server refuses what is too much", async () => {
      await make("limited", { max_bytes: 1e6, discard: "new" });
      const opened = connect(`${server.url}/limited`);
      if (endsKeys(server)) await (await opened).close();
      else await assert.rejects(opened, /a limit with discard new on NATS 2\.9/);
    });

    const broken: Readonly<Record<string, readonly [config: object, says: RegExp, warns: boolean]>> = {
      ages: [{ max_age: 60e9 }, /max_age 60 s/, true],
      evicts: [{ max_bytes: 1e6, discard: "old" }, /discard old/, true],
      memory: [{ storage: "memory" }, /storage memory/, true],
      queue: [{ retention: "workqueue", allow_direct: false }, /it keeps no keys/, false],
    };
    for (const [name, [config, says, warns]] of Object.entries(broken)) {
      void it(`whose settings break a promise is refused: ${name}`, async () => {
        await make(name, config);
        const refused = connect(`${server.url}/${name}`);
        await assert.rejects(refused, (error) => isHoldfastError(error, "UNSUPPORTED") && says.test(error.message));
        const url = `${server.url}/${name}?settings=warn`;
        if (warns) await (await connect(url)).close();
        else await assert.rejects(connect(url), says);
        const { findings } = await examine(url);
        assert.ok(findings.some(({ level, what, why }) => level === "wrong" && says.test(`${what}: ${why}`)));
      });
    }

    void it("with a history keeps to the latest, also where it is read at the leader alone", async () => {
      await make("history", { max_msgs_per_subject: 5, allow_direct: false });
      const hf = await connect(`${server.url}/history`);
      const store = hf.state<number>("s");
      await store.save("k", 1, { ttl: "1h" });
      await store.save("k", 2, { ttl: "300ms" });
      await until("it is absent", async () => (await store.load("k")) === undefined);
      assert.equal(await store.delete("k"), false);
      assert.equal(await store.load("k"), undefined);
      await hf.close();
    });

    void it("has the server end keys after their own end, but not where it leaves markers, which take the place of what is newer", async () => {
      for (const [name, config] of [
        ["plain", {}],
        ["marks", { subject_delete_marker_ttl: 600e9, allow_rollup_hdrs: true }],
      ] as const) {
        await make(name, { max_msgs_per_subject: 1, allow_msg_ttl: true, ...config });
        const hf = await connect(`${server.url}/${name}`, { service: "s" });
        const store = hf.state<number>("n");
        const connection = await server.connect();
        const sent = async (key: string): Promise<number | undefined> => {
          const { headers } = await connection.request(`$JS.API.DIRECT.GET.KV_${name}.$KV.${name}.s1/s1/n.${key}`);
          const ttl = headers?.get("Nats-TTL");
          return ttl ? Number(ttl) : undefined;
        };
        const ends = endsKeys(server) && name === "plain";
        for (const [ttl, least] of [
          [1, 60],
          [1_500, 61],
          [86_400_000, 86_430],
        ] as const) {
          await store.save("k", 1, { ttl });
          const seconds = await sent("k");
          assert.ok(
            ends ? (seconds ?? 0) >= least && (seconds ?? 0) <= least + 30 : seconds === undefined,
            `${seconds}`,
          );
        }
        await store.save("k", 1);
        assert.equal(await sent("k"), undefined);
        await store.delete("k");
        assert.equal(await sent("k"), ends ? 60 : undefined);
        const { findings } = await examine(`${server.url}/${name}`);
        assert.equal(
          findings.some(({ level, what }) => level === "risk" && what.includes("subject_delete_marker_ttl")),
          !ends,
        );
        await connection.close();
        await hf.close();
      }
    });

    void it("keeps messages for a minute", async (t) => {
      const store = new NatsStore({ url: `${server.url}/messages` });
      t.after(async () => store.close());
      const real = performance.now.bind(performance);
      let later = 0;
      t.mock.method(performance, "now", () => real() + later);
      const limit = (): Limit => ({ deadline: performance.now() + 20_000 });
      await store.open(limit());
      const heard: (string | undefined)[] = [];
      const leave = await store.messages.hear("t", (body) => heard.push(body));
      const kept = async (): Promise<number> => {
        const { state } = await ask("INFO.KV_messages", { subjects_filter: "$KV.messages.=.>" });
        return Object.keys(state.subjects ?? {}).length;
      };
      const tell = async (body: string): Promise<void> => store.messages.tell([{ topic: "t", body }], limit());
      await tell("a");
      await tell("b");
      assert.equal(await kept(), 2);
      later = 61_000;
      await tell("c");
      // A server that ends them itself does so by its own clock. Another one is told to drop the first.
      assert.equal(await kept(), endsKeys(server) ? 3 : 2);
      await until("all are heard", async () => heard.length >= 3);
      assert.deepEqual(heard, ["a", "b", "c"]);
      leave();
      if (!endsKeys(server)) return;
      const connection = await server.connect();
      const asked = JSON.stringify({ last_by_subj: "$KV.messages.=.t.>" });
      const reply = await connection.request("$JS.API.STREAM.MSG.GET.KV_messages", asked);
      const { message } = reply.json<{ message: { hdrs: string } }>();
      assert.match(Buffer.from(message.hdrs, "base64").toString(), /Nats-TTL: 60/);
      await connection.close();
    });

    void it("is looked at by doctor, and not made", async () => {
      const { facts, findings, capabilities } = await examine(`${server.url}/nobody`);
      assert.ok(
        facts.some(({ group, name, value }) => group === "server" && name === "version" && value === server.version),
      );
      assert.ok(facts.some(({ group, name, value }) => group === "bucket" && name === "is there" && value === false));
      assert.deepEqual(findings, []);
      assert.equal(capabilities.durability, "process");
      assert.equal("error" in (await ask("INFO.KV_nobody")), true);
    });
  });
}
