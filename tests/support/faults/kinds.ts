/**
 * The kinds of server that the tests of faults run on, which take long: `always`, one version of each family. With
 * HOLDFAST_FAULTS=all the others too.
 */
export function faulted<Kind>(always: readonly Kind[], others: readonly Kind[]): readonly Kind[] {
  return process.env["HOLDFAST_FAULTS"] === "all" ? [...always, ...others] : always;
}
