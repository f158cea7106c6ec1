import { addressText } from "../../../base/addresses.ts";
import type { Arg, Reply } from "../router.ts";

/** Where a server listens. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** What a connection is for; a part of its name in the server's CLIENT LIST. */
export type Role = "commands" | "renewals" | "subscriptions" | "sentinels";

/** Called with each message: its channel and its body. */
export type MessageListener = (channel: string, body: Buffer) => void;

/**
 * One connection of a driver, for one life: it never reconnects. Nothing is sent again, nothing waits for a connection.
 * What its methods reject with is the driver's own error.
 */
export interface Wire {
  /** Resolves when commands can be sent. */
  open(): Promise<void>;
  send(args: readonly Arg[]): Promise<Reply>;
  subscribe(kind: SubscriptionKind, name: string, listener: MessageListener): Promise<void>;
  unsubscribe(kind: SubscriptionKind, name: string, listener: MessageListener): Promise<void>;
  /** Whether a driver's error of {@link send} says that the command was never written. */
  unsent(error: unknown): boolean;
  /** Keeps the process alive, or no longer does. */
  hold(held: boolean): void;
  /** Ends it. What is pending is rejected. Does not throw. */
  close(): void;
}

export type SubscriptionKind = "channel" | "pattern";

/** Makes a wire that is not open yet; `lost` is called when it has failed after it was open. */
export type Dial = (endpoint: Endpoint, role: Role, lost: (why: unknown) => void) => Promise<Wire>;

/** An endpoint as messages show it. */
export function showEndpoint(endpoint: Endpoint): string {
  if ("path" in endpoint) return endpoint.path;
  return addressText(endpoint.host, endpoint.port);
}
