import type { Group, Operation, Outcome } from "../../port/index.ts";
import { notSent } from "../common/failures.ts";
import { readResult, ReplyReader, type Learned } from "./decode.ts";
import { Arguments, type Encoding } from "./encode.ts";
import { script, scriptSha } from "./lua/script.ts";
import { foreign } from "./outcomes.ts";
import { encodeRecord, encodeText, isPlainText, joined, stampsOf } from "./record.ts";
import type { Arg, Errand, Route, Reply } from "./router.ts";

/** Most operations in one command. */
const mostOperations = 256;
/** Most bytes of values in one command. */
const mostBytes = 1024 * 1024;

/** Groups of a batch that one command carries. */
export abstract class Part implements Errand {
  readonly route: Route = "commands";
  /** Where it goes on a cluster; a key of the command. */
  readonly key: string;
  /** Places of the groups in their batch. */
  readonly members: number[] = [];
  givenUp = false;
  refused = false;
  protected operations = 0;
  protected bytes = 0;

  constructor(key: string) {
    this.key = key;
  }

  get full(): boolean {
    return this.operations >= mostOperations || this.bytes >= mostBytes;
  }

  /** The whole command; `again`: the server did not know what it referred to. */
  abstract command(again: boolean): readonly Arg[];
  /** Tells the outcome of each member. */
  abstract read(reply: Reply, groups: readonly Group[], learned: Learned, outcomes: (Outcome | undefined)[]): void;
}

type Get = Extract<Operation, { op: "get" }>;
type Set = Extract<Operation, { op: "set" }>;

/** Groups that are one plain read each: one MGET. */
export class Reads extends Part {
  readonly #names: string[] = [];
  readonly #encoding: Encoding;

  constructor(key: string, encoding: Encoding) {
    super(key);
    this.#encoding = encoding;
  }

  add(member: number, name: string): void {
    this.members.push(member);
    this.#names.push(name);
    this.operations++;
  }

  command(): readonly Arg[] {
    const names = this.#names;
    return names.length === 1 ? ["GET", names[0] as string] : ["MGET", ...names];
  }

  read(reply: Reply, groups: readonly Group[], learned: Learned, outcomes: (Outcome | undefined)[]): void {
    const { members } = this;
    for (let i = 0; i < members.length; i++) {
      const place = members[i] as number;
      const op = (groups[place] as Group).ops[0] as Get;
      const bytes = (this.#names.length === 1 ? reply : (reply as readonly Reply[])[i]) as Buffer | null;
      outcomes[place] = this.#outcome(place, op, bytes, learned);
    }
  }

  #outcome(place: number, op: Get, bytes: Buffer | null, learned: Learned): Outcome {
    if (bytes === null) return { ok: true, results: [undefined] };
    const record = readResult(op, bytes, this.#encoding.layout);
    if (record === undefined) return notSent(foreign(op));
    const results = [record];
    if (op.stamped && this.#encoding.stampsApart) {
      const stamps = stampsOf(bytes);
      if (stamps.length > 0) learned.stamped(place, results, 0, stamps);
    }
    return { ok: true, results };
  }
}

const written: Outcome = { ok: true, results: [undefined] };

/** Groups that are one plain write each: one MSET, which ends a ttl as SET does. */
export class Writes extends Part {
  readonly #pairs: Arg[] = [];
  readonly #encoding: Encoding;

  constructor(key: string, encoding: Encoding) {
    super(key);
    this.#encoding = encoding;
  }

  add(member: number, name: string, { id, value }: Set): void {
    this.members.push(member);
    const record = isPlainText(value)
      ? encodeText(id, value)
      : joined(encodeRecord(id, value, undefined, this.#encoding.layout, false));
    this.#pairs.push(name, record);
    this.operations++;
    this.bytes += value.length;
  }

  command(): readonly Arg[] {
    return [this.members.length === 1 ? "SET" : "MSET", ...this.#pairs];
  }

  read(_reply: Reply, _groups: readonly Group[], _learned: Learned, outcomes: (Outcome | undefined)[]): void {
    for (const place of this.members) outcomes[place] = written;
  }
}

/** All other groups: one call of the script. */
export class Scripted extends Part {
  override readonly route: Route;
  readonly #arguments: Arguments;
  readonly #encoding: Encoding;

  /** The clock's key is in the slot of all others. */
  constructor(clock: string, route: Route, encoding: Encoding) {
    super(clock);
    this.route = route;
    this.#encoding = encoding;
    this.#arguments = new Arguments(encoding, clock);
  }

  add(member: number, group: Group): void {
    this.members.push(member);
    this.#arguments.add(group);
    this.operations += group.ops.length;
    this.bytes = this.#arguments.bytes;
  }

  command(again: boolean): readonly Arg[] {
    // A script that the server has forgotten was not run: sending it whole loads it too.
    return again ? this.#arguments.command("EVAL", script) : this.#arguments.command("EVALSHA", scriptSha);
  }

  asking([name, source]: readonly Arg[]): readonly Arg[] {
    return this.#arguments.command(name as string, source as string, true);
  }

  read(reply: Reply, groups: readonly Group[], learned: Learned, outcomes: (Outcome | undefined)[]): void {
    const reader = new ReplyReader(reply as readonly Reply[], this.#encoding, learned);
    for (const place of this.members) outcomes[place] = reader.next(groups[place] as Group, place);
  }
}
