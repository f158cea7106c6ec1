import type { Reach, ReachOptions } from "../backends.ts";
import { findProgram, nameOf, type Wanted } from "./find.ts";
import { installServers } from "./install.ts";

/** Which of these servers the tests can run on here, each in each of its arrangements, such as `""` and `"-cluster"`. */
export async function reachServers<Kind extends string>(
  wanted: Readonly<Record<Kind, Wanted>>,
  arrangements: Readonly<Record<Kind, readonly string[]>>,
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
    }));
  });
}
