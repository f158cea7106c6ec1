import * as types from "node:util/types";

/** What an object is to the codec. */
export type ObjectKind = "object" | "bare" | "array" | "date" | "map" | "set" | "bytes" | "buffer" | "refused";

/**
 * Classifies by brand and prototype, so that an instance of a subclass is refused, and an object of another realm (such
 * as a test runner's) is what it would be in this one. Not for proxies.
 */
export function kindOf(value: object): ObjectKind {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return "object";
  if (prototype === null) return "bare";
  if (Array.isArray(value)) return Array.isArray(prototype) ? "array" : "refused";
  if (types.isUint8Array(value)) {
    if (prototype === Buffer.prototype) return "buffer";
    return distanceToRoot(prototype) === 2 ? "bytes" : "refused";
  }
  const distance = distanceToRoot(prototype);
  if (types.isDate(value)) return distance === 1 ? "date" : "refused";
  if (types.isMap(value)) return distance === 1 ? "map" : "refused";
  if (types.isSet(value)) return distance === 1 ? "set" : "refused";
  return distance === 0 ? "object" : "refused";
}

/** A message's words for a refused object. Runs no code of the value. */
export function describe(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== "object" || prototype === null) return "such an object";
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof maker !== "function" || types.isProxy(maker)) return "an instance of a class";
  const name: unknown = Object.getOwnPropertyDescriptor(maker, "name")?.value;
  return typeof name === "string" && name !== "" ? `an instance of ${name.slice(0, 64)}` : "an instance of a class";
}

/** Steps from a prototype to its realm's `Object.prototype`; -1 if that is not where its chain ends. */
function distanceToRoot(prototype: unknown): number {
  let current = prototype;
  for (let distance = 0; distance <= 2; distance++) {
    if (typeof current !== "object" || current === null || types.isProxy(current)) return -1;
    if (current === Object.prototype) return distance;
    const next: unknown = Object.getPrototypeOf(current);
    if (next === null) {
      return Object.hasOwn(current, "isPrototypeOf") && Object.hasOwn(current, "hasOwnProperty") ? distance : -1;
    }
    current = next;
  }
  return -1;
}
