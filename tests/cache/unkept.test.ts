import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { connect, plainJson } from "../../src/entries/index.ts";

class Price {
  readonly euros = 7;
}

describe("a loaded value that cannot be stored", () => {
  it("is given to all who wait, not kept, and told once as a warning with its path and the remedy", async () => {
    const hf = await connect("memory:");
    const warnings: Error[] = [];
    const keep = (warning: Error): void => void warnings.push(warning);
    process.on("warning", keep);
    try {
      const prices = hf.cache<{ price: Price }>("prices", { ttl: "5m" });
      const warned = once(process, "warning");
      let loads = 0;
      const load = (): { price: Price } => {
        loads++;
        return { price: new Price() };
      };
      assert.ok((await prices.getOrSet("a", load)).price instanceof Price);
      await warned;
      await prices.getOrSet("a", load);
      await prices.getOrSet("b", load);
      await new Promise(setImmediate);
      assert.equal(loads, 3);
      assert.equal(warnings.length, 1);
      const { message, name } = warnings[0] as Error;
      assert.equal(name, "HoldfastWarning");
      assert.match(
        message,
        /^the cache "prices" does not keep what a loader of getOrSet gave: .*Price at \$\.price .*plainJson/,
      );
      assert.doesNotMatch(message, /7/);
    } finally {
      process.off("warning", keep);
      await hf.close();
    }
  });

  it("is kept as JSON.stringify has it with the codec plainJson", async () => {
    const hf = await connect("memory:");
    const prices = hf.cache<{ price: { euros: number } }>("prices", { ttl: "5m", codec: plainJson });
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(await prices.getOrSet("a", () => (i === 0 ? { price: new Price() } : assert.fail())), {
        price: { euros: 7 },
      });
    }
    await hf.close();
  });
});
