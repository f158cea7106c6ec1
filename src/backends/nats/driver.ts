import { loadDriver } from "../common/driver.ts";
import { dependency } from "./dependency.ts";

/** Headers of a message. */
export interface Headers {
  /** 0 for none, else as in HTTP. */
  readonly code: number;
  readonly description: string;
  get(name: string): string;
  set(name: string, value: string): void;
}

export interface Message {
  readonly data: Uint8Array;
  readonly headers?: Headers | undefined;
  readonly subject: string;
  readonly reply?: string | undefined;
  string(): string;
}

/** What is used of a connection. */
export interface NatsConnection {
  readonly info?: { readonly version: string; readonly max_payload: number; readonly cluster?: string | undefined };
  request(subject: string, payload: Uint8Array | string, options: object): Promise<Message>;
  readonly options?: { readonly inboxPrefix?: string };
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: Message): void },
  ): { unsubscribe(): void };
  flush(): Promise<void>;
  status(): AsyncIterable<{ readonly type: string }> & { stop?(): void };
  isClosed(): boolean;
  close(): Promise<void>;
}

export interface Driver {
  connect(options: object): Promise<NatsConnection>;
  headers(): Headers;
  credsAuthenticator(creds: Uint8Array): object;
  createInbox(prefix?: string): string;
}

/** What requests to the server's API begin with. */
export const api = "$JS.API.";

/** What the API answers to what it refuses. */
export interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

/** Loads the package. Rejects with UnsupportedError, which says what to install. */
export async function loadNats(backend: string): Promise<Driver> {
  return loadDriver(backend, dependency, async () => (await import("@nats-io/transport-node")) as unknown as Driver);
}
