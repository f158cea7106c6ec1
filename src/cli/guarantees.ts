import type { Capabilities } from "../entries/index.ts";

/** A promise: what it is about, and what capabilities say of it, in words. */
export type Guarantee = readonly [title: string, word: (capabilities: Capabilities) => string];

/** What each capability means to a user, in the order of the rows. */
export const guarantees: readonly Guarantee[] = [
  [
    "who shares the data",
    ({ shared }) =>
      ({ process: "this process", machine: "every process of this machine", network: "every machine" })[shared],
  ],
  [
    "two holders of one lock",
    ({ exclusion }) =>
      ({
        exact: "never",
        primary: "not while the primary lives",
        advisory: "possible: best effort",
        none: "yes: every lock is granted",
      })[exclusion],
  ],
  [
    "fences rise",
    ({ fence }) =>
      ({ durable: "always, for as long as the data lives", clock: "as far as clocks allow", none: "there are none" })[
        fence
      ],
  ],
  [
    "a write under a lease",
    ({ guard, exclusion }) =>
      exclusion === "none"
        ? "accepted"
        : {
            atomic: "one atomic step with the check",
            floor: "refused once a later holder touched it",
            none: "refused",
          }[guard],
  ],
  [
    "a read after an acknowledged write",
    ({ reads, exclusion }) =>
      exclusion === "none"
        ? "sees nothing"
        : { linearizable: "sees it, everywhere", primary: "sees it on the primary", eventual: "sees it later" }[reads],
  ],
  [
    "transactions",
    ({ transact, exclusion }) =>
      exclusion === "none"
        ? "accepted"
        : { full: "any keys", slot: "keys of one `{tag}`", none: "single records only" }[transact],
  ],
  ["part of your own SQL transaction", ({ within }) => (within === true ? "yes" : "no")],
  [
    "an acknowledged write survives",
    ({ durability, exclusion }) => {
      const survived = { none: "nothing", process: "the process", disk: "the process, and a power cut" }[durability];
      // Whoever may forget a lock with its primary may forget a write with it.
      return durability === "none" || exclusion === "exact" ? survived : `${survived}, but not every failover`;
    },
  ],
  [
    "who ends leases",
    ({ clock }) =>
      ({ machine: "this machine's clock", server: "the server's clock", client: "each client's clock" })[clock],
  ],
  [
    "waiters are woken",
    ({ push, exclusion }) => (exclusion === "none" ? "nobody waits" : push ? "at once" : "by asking again"),
  ],
  [
    "changes are watched",
    ({ watch, exclusion }) =>
      exclusion === "none"
        ? "there are none"
        : { log: "all, a loss is told as a gap", lossy: "some may be missed, a gap says when", none: "no" }[watch],
  ],
  ["largest value", ({ maxValue }) => `${maxValue / 2 ** 20} MiB`],
  ["most keys in a transaction", ({ maxGroup }) => String(maxGroup)],
];
