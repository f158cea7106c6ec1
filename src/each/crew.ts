import { resolve } from "node:path";

import { UnsupportedError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Holdfast } from "../entries/index.ts";
import { loadHandler } from "./handler.ts";
import { identity } from "./identity.ts";
import type { Start } from "./messages.ts";
import type { Settings } from "./options.ts";
import type { Plan } from "./plan.ts";
import { Processes } from "./processes.ts";
import type { Crew } from "./report.ts";
import { Share } from "./share.ts";
import type { EachEvent } from "./types.ts";
import { Worker } from "./worker.ts";

type Tell = (event: EachEvent) => void;

/** One worker in this process. */
export async function workHere(hf: Holdfast, plan: Plan, settings: Settings, tell: Tell): Promise<Crew> {
  const { handler, work } = settings;
  const { name, job, opening } = plan;
  const fn = "fn" in handler ? handler.fn : await loadHandler(resolve(handler.path));
  const id = drawId();
  const terms = { ...work, name, job, opening, id, by: id, who: identity() };
  const own = { worker: 0, pid: process.pid };
  const worker = new Worker(hf, fn, terms, (event) => tell({ ...event, worker: 0 }));
  tell({ type: "started", ...own });
  return {
    ended: worker.run(),
    restarts: 0,
    stop: () => worker.stop(),
    kill: () => worker.stop(),
    hold: () => Promise.reject(new UnsupportedError("there are no worker processes")),
    reports: () => [{ ...worker.report(), ...own }],
  };
}

/** Workers in processes of their own, each with a connection of its own: closes this one. */
export async function workApart(hf: Holdfast, plan: Plan, settings: Settings, tell: Tell): Promise<Crew> {
  const { handler, store, processes, quietOutput, work } = settings;
  const { name, job, source } = plan;
  const path = resolve((handler as { readonly path: string }).path);
  const run = drawId();
  const count = Math.min(processes, job.partitions);
  const idOf = (worker: number): string => `${run}/${worker}`;
  const members = Array.from({ length: count }, (_, worker) => ({ id: idOf(worker), who: identity() }));
  await Share.announce(hf, name, members, work.leaseMs);
  await hf.close(); // its workers have their own; so it costs no memory meanwhile
  const start = (worker: number, by: string, lost: Start["lost"]): Start => {
    const terms = { ...work, name, job, id: idOf(worker), by };
    return { type: "start", store: store as string, handler: path, source, terms, lost };
  };
  return new Processes({ run, count, start, quietOutput }, tell);
}
