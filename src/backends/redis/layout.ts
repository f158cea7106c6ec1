import { spaceOfId, type Key, type Space } from "../../base/keys.ts";
import type { SignalLayout } from "./signals/seam.ts";

/** Spaces whose names are remembered; there are as many as an application has stores, caches and locks. */
const mostSpaces = 4_096;

/**
 * Physical names: `<prefix>:<space>{<tag>}<rest>`. The space's id has its `%`, `{` and `}` escaped, so the first brace
 * begins the tag, which is Redis' own convention for what shares a slot. A key with a tag of its own has that tag, and
 * is the rest as a whole; any other key is its own tag. What belongs to a key differs before the brace only, so that it
 * shares the slot.
 */
export class Layout implements SignalLayout {
  /** Where the id of the data is. */
  readonly domain: string;
  readonly #prefix: string;
  readonly #heads = new Map<string, string>();
  readonly #spaces = new Map<string, Space>();
  #lastSpace: Space | undefined;
  #lastHead = "";

  /** `prefix` holds no brace. */
  constructor(prefix: string) {
    this.#prefix = `${prefix}:`;
    this.domain = `${prefix}:domain`;
  }

  /** A record, or a lock. */
  name({ space, key }: Key): string {
    const head = space === this.#lastSpace ? this.#lastHead : this.head(space);
    return key.indexOf("}") < 0 ? `${head}${key}}` : head + tail(key);
  }

  /** The highest fence that a record has seen. */
  floor({ space, key }: Key): string {
    return `${this.head(space).slice(0, -1)}f{${tail(key)}`;
  }

  /** The queue of a lock, and what is known of those who wait: as `lua/queued.ts` derives them. */
  queue(lock: string): readonly [string, string] {
    const brace = lock.indexOf("{");
    const [before, after] = [lock.slice(0, brace), lock.slice(brace)];
    return [`${before}q${after}`, `${before}w${after}`];
  }

  /** The clock of an atomic place: of the server, or of the slot that `tag` is in. */
  clock(tag: string | undefined): string {
    return tag === undefined ? `${this.#prefix}clock` : `${this.#prefix}clock{${tag}}`;
  }

  grantsChannel(session: string): string {
    return `${this.#prefix}s:${session}`;
  }

  topicChannel(topic: string): string {
    return `${this.#prefix}t:${topic}`;
  }

  head(space: Space): string {
    if (space === this.#lastSpace) return this.#lastHead;
    let head = this.#heads.get(space.id);
    if (head === undefined) {
      head = `${this.#prefix}${escapeSpace(space.id)}{`;
      remember(this.#heads, space.id, head);
    }
    this.#lastSpace = space;
    this.#lastHead = head;
    return head;
  }

  parse(physical: string): Key | undefined {
    const brace = physical.indexOf("{");
    const close = physical.indexOf("}", brace);
    if (brace < 0 || close < 0) return undefined;
    const space = this.#spaceOf(physical.slice(0, brace + 1));
    if (space === undefined) return undefined;
    const tag = physical.slice(brace + 1, close);
    const rest = physical.slice(close + 1);
    const key = { space, key: rest === "" ? tag : rest === escaped ? unescape(tag) : rest };
    return key.key !== "" && this.name(key) === physical ? key : undefined;
  }

  #spaceOf(head: string): Space | undefined {
    const known = this.#spaces.get(head);
    if (known !== undefined || !head.startsWith(this.#prefix)) return known;
    const id = unescape(head.slice(this.#prefix.length, -1));
    const space = spaceOfId(id);
    if (space === undefined || space.id !== id || this.head(space) !== head) return undefined;
    remember(this.#spaces, head, space);
    return space;
  }
}

/** Stands behind a tag in which something is escaped. */
const escaped = "%";

/** A key from its tag on. */
function tail(key: string): string {
  const close = key.indexOf("}");
  if (close < 0) return `${key}}`;
  const open = key.indexOf("{");
  const end = open < 0 ? -1 : key.indexOf("}", open);
  if (end > open + 1) return `${key.slice(open + 1, end)}}${key}`;
  return `${key.replaceAll("%", "%25").replaceAll("}", "%7D")}}${escaped}`;
}

function escapeSpace(id: string): string {
  return id.replaceAll("%", "%25").replaceAll("{", "%7B").replaceAll("}", "%7D");
}

function unescape(text: string): string {
  return text.replaceAll("%7B", "{").replaceAll("%7D", "}").replaceAll("%25", "%");
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size >= mostSpaces) map.clear();
  map.set(key, value);
}
