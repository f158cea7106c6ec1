import { nullBackend } from "../../../src/backends/null/index.ts";
import type { TestSubject } from "../../support/conform.ts";
import { placeOf } from "../../../src/testing/place.ts";

export const subjects: readonly TestSubject[] = [
  {
    name: "null",
    unit: 1,
    // It answers at once, so cases never wait: several only keep each other from the event loop.
    atOnce: 1,
    place: async () => placeOf(() => nullBackend()),
  },
];
