/*
 * Who is who on NATS: a `Store` for the engine of `backends/store`.
 *
 * `store`       cells as keys of a bucket, each write compared with the number of the message before it
 * `watches`     who listens to what comes into the bucket: changes, and messages
 * `bucket`      the bucket: how it is made, opened and looked at
 * `settings`    how it is set, what that promises, and what `holdfast doctor` says of it
 * `connection`  the connection, ours or the application's. `driver`: what is used of the packages
 * `keys`        any key in the few characters that NATS takes. `options`, `url`: how it is reached
 */
import type { Backend } from "../../port/index.ts";
import { storeBackend } from "../store/index.ts";
import { BACKEND, type NatsOptions } from "./options.ts";
import { NatsStore } from "./store.ts";

export type { NatsOptions, NatsTlsOptions } from "./options.ts";

/** NATS with JetStream, from version 2.9. No I/O. Throws InvalidArgumentError for options that cannot be. */
export function natsBackend(options: NatsOptions): Backend {
  return storeBackend({ name: BACKEND, store: new NatsStore(options) });
}
