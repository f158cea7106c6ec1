import type { TestServer } from "../servers/server.ts";

/** A running server that can be reached through other ports too, ended and started again. */
export interface FaultPlace {
  readonly port: number;
  /** What a client connects to where the server, or a proxy in front of it, is on a port of 127.0.0.1. */
  url(port: number): string;
  /** Ends it at once. It stays down until it is started again. */
  kill(): Promise<void>;
  /** Starts it again on its port, with what it had on disk, or with nothing; ends it before where it runs. */
  restart(options?: { readonly keep: boolean }): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** The place that is one server. */
export function placeOn(server: TestServer, url: (port: number) => string): FaultPlace {
  return {
    port: server.port,
    url,
    kill: async () => server.kill(),
    restart: async (options) => server.restart(options),
    stop: async () => server.stop(),
  };
}

/** A kind of server, as the tests of faults know it. All that they need of a new one is this. */
export interface FaultSubject {
  readonly name: string;
  /** Why its tests cannot run here; false where they can. */
  readonly skip: string | false;
  /** Starts one; `flushes` says whether each write is on disk before it is acknowledged, where it can. */
  start(options: { readonly flushes: boolean }): Promise<FaultPlace>;
  /** Whether what it acknowledged outlives a kill, where it flushes. */
  readonly isDurable: boolean;
  /** Whether fences rise all the same where it starts again with nothing. */
  readonly fencesOutliveIt: boolean;
}

/** Runs `work` on a server of its own. */
export async function onPlace(
  subject: FaultSubject,
  flushes: boolean,
  work: (place: FaultPlace) => Promise<void>,
): Promise<void> {
  const place = await subject.start({ flushes });
  try {
    await work(place);
  } finally {
    await place.stop();
  }
}
