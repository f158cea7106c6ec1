import type { Time } from "../../base/time.ts";
import type { Alarm } from "../common/alarm.ts";
import type { PendingCallers } from "../common/pending.ts";
import type { SignalHub } from "../common/signal-hub.ts";
import type { Batch } from "./batch.ts";
import type { Layout } from "./layout.ts";
import type { Places } from "./places.ts";
import type { Router } from "./router.ts";

/** What an open backend knows of its servers that its sessions go by. */
export interface Known {
  /** See `Encoding` in `encode.ts`. */
  readonly stampsApart: boolean;
  readonly declareAll: boolean;
}

/** What the sessions of a backend share. */
export interface Shared {
  readonly time: Time;
  /** Ends batches at their deadlines. */
  readonly alarm: Alarm<Batch>;
  readonly router: Router;
  readonly layout: Layout;
  readonly places: Places;
  readonly hub: SignalHub;
  /** Those of all sessions. A call that finds a connection never comes there. */
  readonly pending: PendingCallers;
  /** Opens the backend, as often as it takes, until the deadline. Rejects with a HoldfastError. */
  openBefore(deadline: number): Promise<Known>;
}
