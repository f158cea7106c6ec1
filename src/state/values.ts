import { CorruptValueError, InvalidArgumentError, isHoldfastError, SchemaVersionError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import { decodeWith, encodeWith, type Codec } from "../codec/index.ts";
import { formatPath } from "../codec/path.ts";
import type { Payload, StoredRecord } from "../port/index.ts";
import type { ResolvedStateStoreOptions } from "./options.ts";
import type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
import { isThenable } from "./thenable.ts";

/** A value ready to be stored, and the version it is stored under. */
export interface Encoded {
  readonly id: string;
  readonly payload: Payload;
}

/** Separates the drawn id from the version of the value's shape. No drawn id contains it. */
const mark = "~";

/** Turns the values of one store into records and back: codec, schema, versions of the shape. */
export class Values<T> {
  readonly #backend: string;
  readonly #codec: Codec;
  readonly #schema: StandardSchema<T> | undefined;
  readonly #version: number;
  readonly #suffix: string;
  readonly #migrate: ((value: unknown, fromVersion: number) => unknown) | undefined;
  /** Whether the schema is known to validate asynchronously. */
  #slow = false;

  constructor(options: ResolvedStateStoreOptions<T>, backend: string) {
    this.#backend = backend;
    this.#codec = options.codec;
    this.#schema = options.schema;
    this.#version = options.version;
    this.#suffix = options.version === 1 ? "" : mark + options.version;
    this.#migrate = options.migrate;
  }

  /** Checks and encodes a value, and draws its version. Later changes of the value by the caller do not matter. */
  encode(value: unknown, key: string): Encoded | Promise<Encoded> {
    if (!this.#schema) return this.#encoded(value, key);
    if (this.#slow) return this.#encodeCopy(this.#copy(value, key), key);
    const result = this.#schema["~standard"].validate(value);
    if (!isThenable(result)) return this.#encoded(this.#accepted(result, key), key);
    this.#slow = true;
    const copying = this.#copyNow(value, key);
    return Promise.all([copying, result]).then(([copy]) => this.#encodeCopy(copy, key));
  }

  /** The value of a record. Throws or rejects with SchemaVersionError or CorruptValueError. */
  decode(record: StoredRecord): T | Promise<T> {
    const from = this.#shapeOf(record);
    const value = decodeWith(this.#codec, record.value, { key: record.key, backend: this.#backend });
    if (from === this.#version && !this.#schema) return value as T;
    const migrated = this.#migrated(value, from, record.key);
    if (!isThenable(migrated)) return this.#checked(migrated, record.key);
    return Promise.resolve(migrated).then((next) => this.#checked(next, record.key));
  }

  /** The value that was just encoded, as a copy. It need not be checked again. */
  reopen(payload: Payload, key: string): T {
    return decodeWith(this.#codec, payload, { key, backend: this.#backend }) as T;
  }

  #encoded(value: unknown, key: string): Encoded {
    const payload = encodeWith(this.#codec, value, { key, backend: this.#backend });
    return { id: this.#suffix === "" ? drawId() : drawId() + this.#suffix, payload };
  }

  /** A copy for an asynchronous validator, which takes its time while the caller may change the value. */
  #copy(value: unknown, key: string): unknown {
    return this.reopen(this.#encoded(value, key).payload, key);
  }

  /** As {@link #copy}, but an error is a rejection: the validator is under way, and must be awaited. */
  async #copyNow(value: unknown, key: string): Promise<unknown> {
    return this.#copy(value, key);
  }

  async #encodeCopy(copy: unknown, key: string): Promise<Encoded> {
    const result = await (this.#schema as StandardSchema<T>)["~standard"].validate(copy);
    return this.#encoded(this.#accepted(result, key), key);
  }

  #accepted(result: SchemaResult<T>, key: string): T {
    if (!result.issues) return result.value;
    const where = placesOf(result.issues);
    throw new InvalidArgumentError(`the value does not match the schema at ${where}`, { key, backend: this.#backend });
  }

  #shapeOf(record: StoredRecord): number {
    const at = record.id.indexOf(mark);
    if (at < 0) return 1;
    const found = Number(record.id.slice(at + 1));
    const context = { key: record.key, backend: this.#backend };
    if (!Number.isSafeInteger(found) || found < 1)
      throw new CorruptValueError("the record's version cannot be read", context);
    if (found <= this.#version) return found;
    throw new SchemaVersionError(
      `the record is of version ${found}, newer than ${this.#version}, which this code knows`,
      {
        ...context,
        found,
        known: this.#version,
      },
    );
  }

  #migrated(value: unknown, from: number, key: string): unknown {
    if (from === this.#version || !this.#migrate) return value;
    const fail = (error: unknown): never => {
      if (isHoldfastError(error)) throw error;
      throw new CorruptValueError(`migrate failed on a record of version ${from}`, {
        key,
        backend: this.#backend,
        cause: error,
      });
    };
    try {
      const migrated = this.#migrate(value, from);
      return isThenable(migrated) ? migrated.then(undefined, fail) : migrated;
    } catch (error) {
      return fail(error);
    }
  }

  #checked(value: unknown, key: string): T | Promise<T> {
    if (!this.#schema) return this.#present(value, key);
    const result = this.#schema["~standard"].validate(value);
    if (!isThenable(result)) return this.#loaded(result, key);
    return Promise.resolve(result).then((late) => this.#loaded(late, key));
  }

  #loaded(result: SchemaResult<T>, key: string): T {
    if (!result.issues) return this.#present(result.value, key);
    const where = placesOf(result.issues);
    throw new CorruptValueError(`the record does not match the schema at ${where}`, { key, backend: this.#backend });
  }

  #present(value: unknown, key: string): T {
    if (value !== undefined) return value as T;
    throw new CorruptValueError("migrate or the schema made undefined of the record", { key, backend: this.#backend });
  }
}

/** The path to what a schema refused. The messages of validators are left out, because they may quote the value. */
function placesOf(issues: readonly SchemaIssue[]): string {
  const first = issues[0]?.path?.map((step) => (typeof step === "object" ? step.key : step)) ?? [];
  const path = formatPath(first);
  return issues.length > 1 ? `${path} and ${issues.length - 1} more` : path;
}
