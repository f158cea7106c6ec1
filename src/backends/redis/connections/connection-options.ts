import type { Time } from "../../../base/time.ts";
import type { Hide } from "./failures.ts";
import type { Dial, Endpoint, Role, Wire } from "./wire.ts";

/** What all connections of a router have in common. */
export interface Common {
  readonly dial: Dial;
  readonly time: Time;
  readonly hide: Hide;
  /** For one attempt, up to the server's first answer. */
  readonly connectTimeout: number;
  /** Whether TLS is spoken; undefined where the driver finds the server itself. */
  readonly secure?: boolean | undefined;
  /** Called when a connection for commands is there: what was known of the servers may be no longer so. */
  readonly reached?: (() => void) | undefined;
}

export interface ConnectionOptions extends Common {
  readonly role: Role;
  /** There is no other host: one that has no address, and never had one, is not tried again by itself. */
  readonly onlyHost?: boolean | undefined;
  /** Asked before each attempt. */
  endpoint(): Endpoint | Promise<Endpoint>;
  /** Called with each new wire before anybody uses it; when it rejects, the attempt has failed. */
  prepare?(wire: Wire): Promise<void>;
  /** Whether it is tried again by itself also after a final failure, after a long pause. Asked anew; default: no. */
  persists?(): boolean;
  /** Called after each change: ready, lost, an attempt failed. */
  changed(): void;
}
