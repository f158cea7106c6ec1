import type { Key, Space } from "../../../base/keys.ts";

/** What the hub must know of physical names. */
export interface SignalLayout {
  /** The channel that a session's grants are published to. */
  grantsChannel(session: string): string;
  /** The channel of a topic. */
  topicChannel(topic: string): string;
  /**
   * What the physical keys of the records of a space begin with, up to and with the brace before the tag, and no others
   * do.
   */
  head(space: Space): string;
  /** The key behind the physical name of a record or a lock; undefined for a name that the layout does not make. */
  parse(physical: string): Key | undefined;
}

/**
 * How changes of records are told: `"enable"` adds the flags that are missing to the server's `notify-keyspace-events`,
 * `"assume"` trusts that they are set (where CONFIG is forbidden), `"off"` tells of none.
 */
export type Notifications = "enable" | "assume" | "off";
