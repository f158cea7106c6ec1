/** What a server that speaks SQL is started with. */
export interface SqlOptions<Kind extends string> {
  readonly kind: Kind;
  /** Each commit is on disk before it is acknowledged. Default: it outlives the server's death, not the machine's. */
  readonly flushes?: boolean;
  /** More settings by their names in the server's configuration, such as `{ timezone: "Asia/Kolkata" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A row of a reply, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** A connection of its own, for what goes on over several statements. */
export interface SqlSession {
  /** Runs a statement and gives its rows. */
  query(text: string): Promise<readonly Row[]>;
  /** Whether it keeps the process alive, as it does unless told. */
  keepAlive(isOn: boolean): void;
  end(): Promise<void>;
}

/** Runs statements one after the other on a connection of their own, and gives the rows of the last. */
export async function queryOn(opening: Promise<SqlSession>, texts: readonly string[]): Promise<readonly Row[]> {
  const session = await opening;
  try {
    let rows: readonly Row[] = [];
    for (const text of texts) rows = await session.query(text);
    return rows;
  } finally {
    await session.end();
  }
}
