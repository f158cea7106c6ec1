/** The tables of a backend that keeps its data in tables of a server, which are made by versions. */
export interface Tables {
  /** Every statement that makes them from nothing, in order, for somebody else to run. No I/O. */
  statements(): readonly string[];
  /**
   * Makes what is missing, also tables that were dropped since, and changes none that is there but for a newer version.
   * May be called again, and by many at once. Settles soon after the deadline. Rejects with UnsupportedError (the
   * rights are missing, or the tables are of a newer version) or UnavailableError.
   */
  make(call: { readonly deadline: number }): Promise<TablesMade>;
}

/** What was done with tables. */
export interface TablesMade {
  /** Where they are, such as `"prefix holdfast_ in schema public"`. */
  readonly place: string;
  /** The version that was there, 0 for none, and the one that is there now. */
  readonly from: number;
  readonly to: number;
  /** Tables that had been there and were made again: what they held is lost. */
  readonly again: readonly string[];
}
