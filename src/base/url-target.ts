/** One server of a URL. */
export interface Host {
  /** A name in lower case, an IPv4 address, an IPv6 address without brackets, or the path of a Unix socket. */
  readonly host: string;
  /** Undefined stands for the server's usual port. */
  readonly port: number | undefined;
}

/** User and password of a URL. Printing, inspecting or serialising one shows neither. */
export class Credentials {
  readonly #username: string | undefined;
  readonly #password: string | undefined;

  constructor(username: string | undefined, password: string | undefined) {
    this.#username = username;
    this.#password = password;
  }

  /** The user, decoded; undefined if the URL names none. */
  get username(): string | undefined {
    return this.#username;
  }

  /** The password, decoded; undefined if the URL has none. */
  get password(): string | undefined {
    return this.#password;
  }
}

/** The query parameters of a URL, each at most once. Printing, inspecting or serialising them shows none. */
export class Params {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** The decoded value; `""` for a name without `=`, undefined for a name that is not there. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The decoded names, in the order of the URL. */
  names(): string[] {
    return [...this.#values.keys()];
  }
}

interface Base {
  /** In lower case, without the colon. */
  readonly scheme: string;
  readonly params: Params;
}

interface Servers extends Base {
  /** At least one; more than one only where the backend takes several. */
  readonly hosts: readonly Host[];
  readonly credentials: Credentials;
}

/** `file:./dir`, `file:/abs`, `file:///abs` */
export interface FileTarget extends Base {
  readonly kind: "file";
  /** Absolute: a relative one is resolved against the working directory when the URL is parsed. */
  readonly path: string;
}

/** `memory:`, `memory:name` */
export interface MemoryTarget extends Base {
  readonly kind: "memory";
  /** Undefined: a memory of its own for each connect. */
  readonly name: string | undefined;
}

/** `null:` */
export interface NullTarget extends Base {
  readonly kind: "null";
}

/** `redis[s]://`, `redis[s]+cluster://`, `redis[s]+sentinel://`, and the same with `valkey` */
export interface RedisTarget extends Servers {
  readonly kind: "redis";
  readonly mode: "single" | "cluster" | "sentinel";
  readonly tls: boolean;
  /** Undefined stands for 0; a cluster has no other. */
  readonly database: number | undefined;
  /** The master's name; defined if and only if `mode` is `"sentinel"`. */
  readonly master: string | undefined;
}

/** `memcached://` */
export interface MemcachedTarget extends Servers {
  readonly kind: "memcached";
}

/** `mongodb://`, `mongodb+srv://` */
export interface MongoDbTarget extends Servers {
  readonly kind: "mongodb";
  /** Whether the one host is looked up as an SRV record. */
  readonly srv: boolean;
  readonly database: string | undefined;
}

/** `postgres://`, `postgresql://` */
export interface PostgresTarget extends Servers {
  readonly kind: "postgres";
  readonly database: string | undefined;
}

/** `mysql://`, `mariadb://` */
export interface MySqlTarget extends Servers {
  readonly kind: "mysql";
  readonly database: string | undefined;
}

export type ServerTarget = RedisTarget | MemcachedTarget | MongoDbTarget | PostgresTarget | MySqlTarget;

/** What a URL means. */
export type Target = FileTarget | MemoryTarget | NullTarget | ServerTarget;
