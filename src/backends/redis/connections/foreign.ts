import type { Time } from "../../../base/time.ts";
import { refuse } from "./options.ts";
import type { Endpoint } from "./wire.ts";

/** What routers with the settings of an application's client have in common. */
export interface ClientRouterOptions {
  readonly time: Time;
  readonly connectTimeout: number;
  readonly maxWaiting: number;
  readonly reached?: (() => void) | undefined;
}

/** How addresses that servers tell are to be read; alike in all drivers. */
export type AddressMap =
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>
  | ((address: string) => { readonly host: string; readonly port: number } | null | undefined);

/** The address to dial for one that a server tells. */
export function mapped(map: AddressMap | null | undefined, endpoint: Endpoint): Endpoint {
  if (!map || !("host" in endpoint)) return endpoint;
  const address = `${endpoint.host}:${endpoint.port}`;
  return (typeof map === "function" ? map(address) : map[address]) ?? endpoint;
}

/**
 * The nodes of an application's cluster, or those of before where it knows of none; throws where it is not open and
 * never was.
 */
export function lastKnown(nodes: () => readonly Endpoint[], isOpen: () => boolean): () => readonly Endpoint[] {
  let known: readonly Endpoint[] = [];
  return () => {
    const now = nodes();
    if (now.length > 0) known = now;
    else if (known.length === 0 && !isOpen()) refuseClosed("cluster client");
    return known;
  };
}

/** Throws InvalidArgumentError. */
export function refuseClosed(what: string): never {
  return refuse(`the ${what} that was given is not open: connect it before the first call`);
}

/** Throws InvalidArgumentError where one of them is a prefix. */
export function refusePrefix(...prefixes: readonly unknown[]): void {
  if (prefixes.some((prefix) => prefix !== undefined && prefix !== null && (prefix as string | Buffer).length > 0)) {
    refuse(
      "the client must not have a keyPrefix: keys within scripts would not bear it. Give redis() a prefix instead",
    );
  }
}
