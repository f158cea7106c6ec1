/** What a backend promises. Features decide by this alone; what is not promised rejects with UnsupportedError. */
export interface Capabilities {
  /**
   * `exact`: never two holders. `primary`: not while the primary lives. `advisory`: best effort. `none`: everybody is
   * granted.
   */
  readonly exclusion: "exact" | "primary" | "advisory" | "none";
  /**
   * `durable`: rises always. `clock`: rises as long as clocks allow when records are lost. `none`: there is no fence.
   */
  readonly fence: "durable" | "clock" | "none";
  /**
   * Guarded writes. `atomic`: lease check and write are one step. `floor`: refused once a later holder touched the
   * entry.
   */
  readonly guard: "atomic" | "floor" | "none";
  /** `linearizable`: a read sees every write acknowledged before it. `primary`: on the primary. `eventual`: later. */
  readonly reads: "linearizable" | "primary" | "eventual";
  /**
   * Whether groups can be part of a transaction that the application commits, with rows of its own. Absent: they are
   * refused.
   */
  readonly within?: boolean | undefined;
  /** Groups of several keys. `full`: any. `slot`: of one tag. `none`: single records only. */
  readonly transact: "full" | "slot" | "none";
  /** What an acknowledged write survives: nothing, the process, or a power cut of the machine. */
  readonly durability: "none" | "process" | "disk";
  /**
   * Whose clock ends leases and entries. `server`: the server's, or each node's its own. `machine`: that of the machine
   * all processes are on. `client`: each client's, so clocks that differ end a lease early for some and late for
   * others.
   */
  readonly clock: "server" | "machine" | "client";
  /** The step of a record's ttl, in ms. */
  readonly ttlGranularity: number;
  /** Largest value, in bytes. */
  readonly maxValue: number;
  /** Waiters are woken when a lock is released. */
  readonly push: boolean;
  /** `log`: every change is told, a loss as a gap. `lossy`: changes may be missed, and a gap says when. */
  readonly watch: "log" | "lossy" | "none";
  /** Keys are listed. */
  readonly list: boolean;
  /** Round trips of a batch. */
  readonly batchRoundTrips: number;
  /** Who shares the data. */
  readonly shared: "process" | "machine" | "network";
  /**
   * Whether the stamps of a stamped operation are looked at in the same atomic step as its record. `apart`: in a step
   * after it, so a record can be read that was invalidated in between.
   */
  readonly stamps: "atomic" | "apart";
  /**
   * Most keys in a group, its guards' locks included: at least 8. Where `transact` is `"none"` all operations of a
   * group are on one key, and this says how many records one call may go on with.
   */
  readonly maxGroup: number;
}
