import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  connect,
  isHoldfastError,
  type CallOptions,
  type Duration,
  type Holdfast,
  type StateStore,
} from "../../../src/entries/index.ts";
import { times, type Deed } from "../../chaos/support/nemesis.ts";
import { runRound, seeds } from "../../chaos/support/round.ts";
import { FaultProxy, type Fault } from "../fault-proxy.ts";
import { onPlace, type FaultPlace, type FaultSubject } from "./place.ts";

const timeout = 1_000;

async function listed(records: StateStore<number>, options?: CallOptions): Promise<number> {
  let count = 0;
  for await (const _ of records.list(options)) count++;
  return count;
}

/** What `call` gives once it is answered in its time: a machine, or a server, may be busy. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  const end = performance.now() + 20_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isHoldfastError(error) || performance.now() > end) throw error;
    }
  }
}

async function throughProxies(
  place: FaultPlace,
  count: number,
  work: (proxies: readonly FaultProxy[]) => Promise<void>,
): Promise<void> {
  const proxies = await Promise.all(Array.from({ length: count }, async () => FaultProxy.start({ port: place.port })));
  try {
    await work(proxies);
  } finally {
    await Promise.all(proxies.map(async (proxy) => proxy.close()));
  }
}

/** What is done to the network of one worker at a time. */
function deedsOf(proxies: readonly FaultProxy[]): readonly Deed[] {
  const during = (fault: Fault, ms: number): Deed => {
    return async ({ random }) => {
      const proxy = random.pick(proxies);
      proxy.set(fault);
      await pause(ms);
      proxy.set({ kind: "none" });
    };
  };
  const cut: Deed = async ({ random }) => random.pick(proxies).cut();
  const dropReplies: Deed = async ({ random }) => {
    const proxy = random.pick(proxies);
    const dropped = proxy.nextDrop();
    proxy.set({ kind: "drop-reply" });
    await dropped;
    proxy.set({ kind: "none" });
  };
  return [
    ...times(6, cut),
    ...times(8, dropReplies),
    // Longer than a call may take: what it holds back reaches the server after the caller was told.
    ...times(2, during({ kind: "black-hole" }, 1.3 * timeout)),
    during({ kind: "black-hole" }, 0.3 * timeout),
    // Connections that are open stay, and nobody answers on them.
    during({ kind: "silence" }, 1.3 * timeout),
    during({ kind: "delay", ms: 50 }, 500),
    async (stage) => {
      await cut(stage);
      await during({ kind: "refuse" }, 500)(stage);
    },
  ];
}

/** What must hold of a server whatever its network does. */
export function networkFaults(subject: FaultSubject): void {
  const { name, skip } = subject;
  for (const seed of seeds(1)) {
    void test(
      `the network to ${name} is cut, loses replies and goes dark, and the history holds (seed ${seed})`,
      { skip },
      async (t) =>
        onPlace(subject, false, async (place) =>
          throughProxies(place, 4, async (proxies) => {
            const at = (worker: number): string => place.url(proxies[worker]?.port ?? 0);
            const deeds = deedsOf(proxies);
            await runRound(t, { url: place.url(place.port), place: at, seed, deeds, ttl: 600, timeout, slack: 1_500 });
          }),
        ),
    );
  }

  void test(
    `the network to ${name} goes dark: every call settles soon after its timeout, and works when it is back`,
    { skip },
    async () =>
      onPlace(subject, false, async (place) =>
        throughProxies(place, 1, async ([proxy]) => {
          const hf = await connect(place.url(proxy?.port ?? 0), { service: "dark", timeout: "20s" });
          const lateness = monitorEventLoopDelay({ resolution: 5 });
          try {
            const records = hf.state<number>("records");
            const soon = { timeout: 400 };
            const lease = await again(async () =>
              hf.lock("work").acquire("held", { ttl: "60s", renew: false, ...soon }),
            );
            for (const key of ["a", "b"]) await records.save(key, 1);
            const calls: Readonly<Record<string, () => Promise<unknown>>> = {
              load: async () => records.load("a", soon),
              save: async () => records.save("a", 2, soon),
              "guarded save": async () => records.save("b", 2, { lease, ...soon }),
              ...(hf.capabilities.list && { list: async () => listed(records, soon) }),
              inspect: async () => hf.lock("work").inspect("held", soon),
              acquire: async () => hf.lock("work").acquire("free", { wait: 0, ...soon }),
              extend: async () => lease.extend(),
            };
            proxy?.set({ kind: "black-hole" });
            lateness.enable();
            await Promise.all(
              Object.entries(calls).map(async ([what, call]) => {
                const begun = performance.now();
                await assert.rejects(call, (error) => isHoldfastError(error), what);
                const took = performance.now() - begun;
                // An acquire whose fate is unknown has it released as well.
                assert.ok(took < 2 * 400 + 300 + lateness.max / 1e6, `${what} took ${took.toFixed()} ms`);
              }),
            );
            proxy?.set({ kind: "none" });
            assert.equal((await again(async () => records.loadMany(["a", "b"], soon))).size, 2);
          } finally {
            lateness.disable();
            await hf.close();
          }
        }),
      ),
  );

  void test(
    `calls that find no connection to ${name} wait for one, a listing too, and are answered when it is back`,
    { skip },
    async () =>
      onPlace(subject, false, async (place) =>
        throughProxies(place, 1, async ([proxy]) => {
          const hf = await connect(place.url(proxy?.port ?? 0), { service: "away", timeout: "20s" });
          try {
            const records = hf.state<number>("records");
            for (const key of ["a", "b"]) await records.save(key, 1);
            proxy?.set({ kind: "refuse" });
            proxy?.cut();
            // Until it is noticed, a call may be on its way on the connection that was lost.
            await assert.rejects(
              async () => {
                for (;;) await records.load("a", { timeout: 100 });
              },
              (error) => isHoldfastError(error, "UNAVAILABLE"),
            );
            const calls = [
              records.load("a"),
              records.save("b", 2),
              hf.lock("work").run("free", async () => undefined),
              ...(hf.capabilities.list ? [listed(records)] : []),
            ];
            await pause(100);
            proxy?.set({ kind: "none" });
            await Promise.all(calls);
          } finally {
            await hf.close();
          }
        }),
      ),
  );

  void test(
    `connecting to ${name} goes on after an attempt that took its connectTimeout, until the timeout`,
    { skip },
    async () =>
      onPlace(subject, false, async (place) =>
        throughProxies(place, 1, async ([proxy]) => {
          const url = place.url(proxy?.port ?? 0);
          const open = async (limit: Duration): Promise<Holdfast> =>
            connect(`${url}${url.includes("?") ? "&" : "?"}connectTimeout=400ms`, { service: "slow", timeout: limit });
          proxy?.set({ kind: "black-hole" });
          await assert.rejects(open(1_000), (error) => isHoldfastError(error, "UNAVAILABLE"));
          const opening = open("20s");
          await pause(1_000);
          proxy?.set({ kind: "none" });
          const hf = await opening;
          await hf.close();
        }),
      ),
  );
}
