/** A message by the names of its fields. Whole numbers are read as bigints from 2^53 on. */
export interface Message {
  readonly [field: string]: Value | readonly Value[] | undefined;
}
type Value = number | bigint | string | Uint8Array | Message;

interface Field {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly many: boolean;
}

/**
 * What of etcd's v3 API is used here, as its Protocol Buffers have it: names are ours, numbers are theirs. What is left
 * out has its default; what is read and not named here is skipped.
 */
const types: ReadonlyMap<string, readonly Field[]> = typesOf(`
  Header { int member = 2; int revision = 3 }
  Cell { bytes key = 1; int revision = 3; bytes content = 5 }
  Range { bytes key = 1; bytes end = 2; int limit = 3; int revision = 4; int keysOnly = 8 }
  Ranged { Header header = 1; Cell[] cells = 2 }
  Put { bytes key = 1; bytes content = 2; int lease = 3; int keepsLease = 6 }
  Compare { int target = 2; bytes key = 3; int revision = 6; bytes content = 7 }
  Op { Range range = 1; Put put = 2; Range delete = 3; Txn txn = 4 }
  Txn { Compare[] compare = 1; Op[] success = 2; Op[] failure = 3 }
  Done { Ranged range = 1; Txned txn = 4 }
  Txned { Header header = 1; int succeeded = 2; Done[] done = 3 }
  Grant { int ttl = 1 }
  Granted { int id = 2 }
  From { bytes key = 1; bytes end = 2; int from = 3 }
  Watch { From create = 1 }
  Event { Cell cell = 2 }
  Watched { Header header = 1; int created = 3; int canceled = 4; Event[] events = 11 }
  Login { text name = 1; text password = 2 }
  LoggedIn { text token = 2 }
  Nothing { }
  Alarm { int alarm = 2 }
  Alarms { Alarm[] alarms = 2 }
  Status { Header header = 1; text version = 2; int size = 3; int leader = 4; int used = 9 }
  Member { int learner = 5 }
  Members { Member[] members = 2 }
`);

/** A message, written from its end on: so the length of each part is known when it is to be written. */
export function encode(type: string, message: Message): Buffer {
  const writer = new Writer();
  writer.message(type, message);
  return writer.bytes;
}

/** Throws a RangeError for what is no message. Its bytes are views of what is given. */
export function decode(type: string, bytes: Buffer): Message {
  const message: Record<string, unknown> = {};
  const reader = new Reader(bytes);
  const fields = types.get(type);
  while (!reader.atEnd) {
    const tag = Number(reader.int());
    const value = tag % 8 === 0 ? reader.int() : reader.bytes(tag % 8);
    const field = fields?.find(({ id }) => id === tag >> 3);
    if (!field || value === undefined) continue;
    const read = valueOf(field.type, value);
    if (field.many) ((message[field.name] ??= []) as unknown[]).push(read);
    else message[field.name] = read;
  }
  return message as Message;
}

function valueOf(type: string, value: number | bigint | Buffer): Value {
  if (!Buffer.isBuffer(value) || type === "bytes") return value;
  return type === "text" ? value.toString() : decode(type, value);
}

function typesOf(text: string): Map<string, readonly Field[]> {
  const found = new Map<string, readonly Field[]>();
  for (const [, name = "", fields = ""] of text.matchAll(/(\w+) \{([^}]*)\}/g)) {
    const all = [...fields.matchAll(/(\w+)(\[\])? (\w+) = (\d+)/g)];
    found.set(
      name,
      all.map(([, type = "", many, field = "", id]) => ({
        id: Number(id),
        name: field,
        type,
        many: many !== undefined,
      })),
    );
  }
  return found;
}

class Writer {
  #buffer = Buffer.allocUnsafe(1_024);
  #at = this.#buffer.length;

  get bytes(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  message(type: string, message: Message): void {
    for (const { id, name, type: its } of (types.get(type) as Field[]).toReversed()) {
      const value = message[name];
      if (Array.isArray(value)) for (const one of value.toReversed() as Value[]) this.#field(id, its, one);
      else if (value !== undefined) this.#field(id, its, value as Value);
    }
  }

  #field(id: number, type: string, value: Value): void {
    if (type === "int") {
      this.#int(value as number | bigint);
      return this.#int(id * 8);
    }
    const end = this.bytes.length;
    if (typeof value === "string") this.#raw(Buffer.from(value));
    else if (value instanceof Uint8Array) this.#raw(value);
    else this.message(type, value as Message);
    this.#int(this.bytes.length - end);
    this.#int(id * 8 + 2);
  }

  #int(value: number | bigint): void {
    if (value < 128) return this.#raw([Number(value)]);
    const bytes: number[] = [];
    let rest = BigInt(value);
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    this.#raw([...bytes, Number(rest)]);
  }

  #raw(bytes: Uint8Array | readonly number[]): void {
    if (bytes.length > this.#at) {
      const old = this.bytes;
      this.#buffer = Buffer.allocUnsafe(2 * (old.length + bytes.length));
      this.#at = this.#buffer.length - old.length;
      this.#buffer.set(old, this.#at);
    }
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  int(): number | bigint {
    const from = this.#at;
    let value = 0;
    for (let weight = 1; weight < 2 ** 70; weight *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++);
      value += (byte & 127) * weight;
      if (byte < 128) return Number.isSafeInteger(value) ? value : this.#large(from);
    }
    throw new RangeError("a number is longer than may be");
  }

  /** Undefined for what has a fixed size, which nothing here has. */
  bytes(kind: number): Buffer | undefined {
    const size = { 1: 8, 2: undefined, 5: 4 }[kind];
    const length = size ?? (kind === 2 ? Number(this.int()) : NaN);
    const end = this.#at + length;
    if (!(end <= this.#bytes.length)) throw new RangeError("a message ends early");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return size === undefined ? bytes : undefined;
  }

  #large(from: number): bigint {
    return this.#bytes.subarray(from, this.#at).reduceRight((value, byte) => (value << 7n) | BigInt(byte & 127), 0n);
  }
}
