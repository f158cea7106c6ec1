// Run with --expose-gc. Prints what became of a lease that is kept, and of one that is forgotten.
import { setImmediate as nextTurn } from "node:timers/promises";
import { memoryBackend, MemoryServer } from "../../../src/backends/memory/index.ts";
import { Instance } from "../../../src/client/index.ts";
import { Lock, type Lease } from "../../../src/lock/index.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";

const time = virtualTime();
const server = new MemoryServer({ time });
const make = (): { instance: Instance; lock: Lock } => {
  const instance = new Instance(memoryBackend({ server }));
  return { instance, lock: new Lock(instance, "locks") };
};
const [own, other] = [make(), make()];
const ttl = 300;

async function forget(): Promise<void> {
  await own.lock.acquire("forgotten", { ttl });
}

const lost: string[] = [];
own.instance.events.on("leaseLost", ({ keys, why }) => lost.push(`${keys.join()} ${why}`));
const kept: Lease = await own.lock.acquire("kept", { ttl });
await forget();
let finish = (): void => undefined;
const strayRun = own.lock.run(
  "run",
  () =>
    new Promise<string>((resolve) => {
      finish = () => resolve("ran");
    }),
  { ttl },
);
// What is collected is told in some later turn of the loop.
for (let i = 0; i < 8 || (lost.length === 0 && i < 200); i++) {
  await time.advance(ttl / 3);
  (globalThis as unknown as { gc(): void }).gc();
  await nextTurn();
}
const free = (await other.lock.tryAcquire("forgotten")) !== undefined;
kept.assertHeld();
finish();
const ran = await strayRun;
console.log(JSON.stringify({ free, lost, ran, released: await kept.release() }));
