import { it } from "node:test";
import { bindSuite, cacheCases, lockCases, placeOf, portCases, stateCases } from "holdfast/testing";
import { ownRedis } from "./backend.ts";

const url = process.env["REDIS_URL"] ?? "redis://localhost:6379";
for (const [suite, cases] of Object.entries({ portCases, stateCases, lockCases, cacheCases })) {
  const place = async () => {
    const prefix = `test${Math.random()}`;
    return placeOf(() => ownRedis({ url, prefix }));
  };
  for (const { title, skip, run } of await bindSuite(suite, cases, { name: "own-redis", place })) {
    void it(title, { skip: skip ?? false }, run);
  }
}
