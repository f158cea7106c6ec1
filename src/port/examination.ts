import type { Capabilities } from "./capabilities.ts";

/** What a backend found out about its server, for those who run it. No part of it holds a value or a credential. */
export interface Examination {
  /** What was learned, in groups, in the order to be shown. */
  readonly facts: readonly Fact[];
  /** What it promises as it is set now, whether or not `open` would refuse these settings. */
  readonly capabilities: Capabilities;
  /** What that leaves open, a sentence each. */
  readonly leavesOpen: readonly string[];
  /** How its settings are, the gravest first. */
  readonly findings: readonly Finding[];
  /** How long single requests took, sent one at a time. */
  readonly roundTrips: readonly RoundTrips[];
}

/** One thing that was learned. */
export interface Fact {
  /** A word or two, such as `"server"`; facts of one group follow each other. */
  readonly group: string;
  readonly name: string;
  readonly value: string | number | boolean;
  /** How a person reads the value; it says the unit. Default: the value. */
  readonly text?: string | undefined;
}

/** A judgement on one setting. */
export interface Finding {
  /**
   * `wrong`: a promise does not hold, or calls fail. `risk`: something can be lost that need not be. `unknown`: the
   * server does not tell. `fine`: it was looked at, nothing is to be done.
   */
  readonly level: "wrong" | "risk" | "unknown" | "fine";
  /** The setting and its value, with the server where there are several. */
  readonly what: string;
  /** What follows from it. */
  readonly why: string;
  /** What to do; empty where nothing is. */
  readonly remedy: string;
}

/** Durations in ms. */
export interface RoundTrips {
  /** Which server, or what was asked. */
  readonly to: string;
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p99: number;
}
