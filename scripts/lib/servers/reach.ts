import type { Reach, ReachOptions } from "../backends.ts";
import { findProgram, nameOf, type Wanted } from "./find.ts";
import { installServers } from "./install.ts";

/** What runs on a family of servers. */
export interface Runs<Kind extends string> {
  /** The arrangements of each kind that the conformance suites run on, such as `""` and `"-cluster"`. */
  readonly arrangements: Readonly<Record<Kind, readonly string[]>>;
  /** The kinds that the tests of faults run on. */
  readonly faults: readonly Kind[];
}

/** Which of these servers the tests can run on here, each in each of its arrangements. */
export async function reachServers<Kind extends string>(
  wanted: Readonly<Record<Kind, Wanted>>,
  { arrangements, faults }: Runs<Kind>,
  { install }: ReachOptions,
): Promise<Reach[]> {
  const reasons = install ? await installServers(wanted, install) : new Map<string, string>();
  return (Object.keys(wanted) as Kind[]).flatMap((server) => {
    const program = findProgram(server, wanted[server]);
    const { debian } = wanted[server];
    const reason = reasons.get(server) ?? "it is not there: `npm test` fetches it where it can";
    const why = debian ? reason : `no package holds ${nameOf(wanted[server])}: put it on the PATH`;
    return arrangements[server].map((arrangement) => ({
      backend: `${server}${arrangement}`,
      server,
      ...(program ? { version: program.version } : { missing: why }),
      ...(debian ? {} : { optional: true as const }),
      ...(faults.includes(server) ? { faults: true as const } : {}),
    }));
  });
}
