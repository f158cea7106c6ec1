import { createHash } from "node:crypto";
import { UnavailableError } from "../../base/errors.ts";
import { pauseFor, type Time } from "../../base/time.ts";
import type { Places } from "./places.ts";
import { RedisFailure, type Node, type Reply, type Router } from "./router.ts";

/** How long to wait before the servers are asked again, in ms. */
const pause = 25;

/** Where the keys are, by what the primaries say of themselves. */
export interface Distribution {
  /** The primaries, in the order of their ids. */
  readonly nodes: readonly Node[];
  /** Of two equal prints no slot has changed its primary between, and no primary was started anew. */
  readonly print: string;
  /** Whether keys are on their way from one primary to another. */
  readonly moving: boolean;
}

/** Asks for it: one round trip. Rejects with RedisFailure or a HoldfastError. */
export async function readDistribution(
  router: Router,
  places: Places,
  time: Time,
  deadline: number,
): Promise<Distribution> {
  for (;;) {
    const nodes = inOrder((await router.primaries(deadline)).nodes);
    const views = await Promise.all(nodes.map(async (node) => viewOf(node, router.topology === "cluster")));
    const missing = strangerTo(views);
    if (missing === undefined) {
      const print = createHash("sha256")
        .update(views.map(({ own }) => own).join("\n"))
        .digest("base64url")
        .slice(0, 16);
      return { nodes, print, moving: views.some(({ moving }) => moving) };
    }
    if (time.monotonic() + pause >= deadline) {
      throw new UnavailableError("the cluster's primaries do not agree on who serves which slots", {
        backend: "redis",
      });
    }
    // Whoever is asked for a key that has moved says where to, and the router learns of it.
    const clock = places.clock(missing);
    await Promise.all([router.send("commands", clock, ["EXISTS", clock]), pauseFor(time, pause)]);
  }
}

/** Primaries in the order in which they are scanned. */
export function inOrder(nodes: readonly Node[]): readonly Node[] {
  return nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** What a primary says. */
interface View {
  /** Of itself, as long as nothing changes. */
  readonly own: string;
  readonly id: string;
  readonly moving: boolean;
  /** A slot of each primary that it knows. */
  readonly slots: ReadonlyMap<string, number>;
}

async function viewOf(node: Node, isCluster: boolean): Promise<View> {
  const [info, list] = await Promise.all([
    optional(node.send(["INFO", "server"])),
    isCluster ? node.send(["CLUSTER", "NODES"]) : undefined,
  ]);
  const run = /^run_id:(\w+)/m.exec(String(info))?.[1] ?? "";
  if (list === undefined) return { own: `${node.id} ${run}`, id: node.id, moving: false, slots: new Map() };
  const slots = new Map<string, number>();
  let [own, id, moving] = ["", "", false];
  for (const line of String(list).split("\n")) {
    const [its = "", , flags = "", , , , epoch, , ...ranges] = line.split(" ");
    if (flags.split(",").includes("myself")) {
      id = its;
      own = `${its} ${run} ${flags} ${epoch} ${ranges.join(" ")}`;
      moving = ranges.some((range) => range.startsWith("["));
    }
    const first = Number.parseInt(ranges[0] ?? "", 10);
    if (!Number.isNaN(first)) slots.set(its, first);
  }
  return { own, id, moving, slots };
}

/** Not everybody may ask for it. */
async function optional(reply: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof RedisFailure && error.reply === "NOPERM") return undefined;
    throw error;
  }
}

/** A slot of a primary that some of them know and that is not among them. */
function strangerTo(views: readonly View[]): number | undefined {
  const known = new Set(views.map(({ id }) => id));
  for (const { slots } of views) for (const [id, slot] of slots) if (!known.has(id)) return slot;
  return undefined;
}
