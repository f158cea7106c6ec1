import type { Time } from "../../../base/time.ts";
import { refuse } from "./options.ts";
import type { Endpoint } from "./wire.ts";

/** What routers over an application's client have in common. */
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

/** Throws InvalidArgumentError. */
export function refuseClosed(what: string): never {
  return refuse(`the ${what} that was given is not open: connect it first, and close it after the backend`);
}
