import { InvalidArgumentError } from "../base/errors.ts";
import type { Space } from "../base/keys.ts";
import type { LockMode } from "../port/index.ts";

/**
 * What somebody holds: a key of `acquire` and `run`, a permit of a semaphore, a side of a read/write lock, the
 * leadership of an election, or a run of `runOnce`.
 */
export type HolderKind = "lock" | "semaphore" | "read" | "write" | "election" | "runOnce";

/** The kinds, each by the kind of space that its locks are in. Kinds of one space and name are the same lock. */
const spaces: Readonly<Record<HolderKind, "lock" | "shared" | "once">> = {
  lock: "lock",
  semaphore: "shared",
  read: "shared",
  write: "shared",
  election: "once",
  runOnce: "once",
};

/** In which kind of space the locks of a kind are. */
export function spaceKindOf(kind: HolderKind): "lock" | "shared" | "once" {
  return spaces[kind];
}

/** The kind that a call names; `"lock"` where it names none. Throws InvalidArgumentError. */
export function checkKind(kind: unknown): HolderKind {
  if (kind === undefined) return "lock";
  if (isKind(kind)) return kind;
  throw new InvalidArgumentError(`kind must be one of ${Object.keys(spaces).join(", ")}`);
}

/** The kind of a hold: what its holder wrote beside it, else what the place tells. */
export function kindOf(space: Space, mode: LockMode, written: string | undefined): HolderKind {
  if (isKind(written) && spaces[written] === space.kind) return written;
  if (space.kind === "lock") return "lock";
  if (space.kind === "once") return "runOnce";
  return mode === "exclusive" ? "write" : "semaphore";
}

function isKind(kind: unknown): kind is HolderKind {
  return typeof kind === "string" && Object.hasOwn(spaces, kind);
}
