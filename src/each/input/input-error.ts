import { InvalidArgumentError } from "../../base/errors.ts";

/** Where in an input something is. */
export interface Place {
  /** The line, from 1, as an editor counts them: also those that are blank, and a CSV header. */
  readonly line: number;
  /** The number of the field in CSV, of the character in JSON Lines; from 1. Absent: all of the line. */
  readonly column?: number | undefined;
  /** The name of the field, where it has one. */
  readonly field?: string | undefined;
}

/** Something in the input for which it is refused as a whole. */
export interface Problem {
  /** Where in the input it is, in bytes. */
  readonly offset: number;
  readonly column?: number | undefined;
  readonly field?: string | undefined;
  /** What is wrong, and the remedy. */
  readonly message: string;
}

/**
 * The input cannot be meant as it would be read: nothing was stored, and no item was handled. The message names the
 * place and the remedy. Its code is `INVALID_ARGUMENT`.
 */
export class InputError extends InvalidArgumentError {
  static {
    Object.defineProperty(InputError.prototype, "name", { value: "InputError", writable: true, configurable: true });
  }
  /** The line, from 1; undefined where it is about the input as a whole. */
  readonly line: number | undefined;
  /** In CSV the number of the field, in JSON Lines that of the character in the line; from 1. */
  readonly column: number | undefined;

  constructor(message: string, place?: Place, cause?: unknown) {
    super(place ? `${placeText(place)}: ${message}` : message, { cause });
    this.line = place?.line;
    this.column = place?.column;
  }
}

function placeText({ line, column, field }: Place): string {
  const name = field === undefined ? "" : ` (${shown(field)})`;
  return `line ${line} of the input${column === undefined ? "" : `, column ${column}`}${name}`;
}

/** Longest name that a message shows, in characters. */
const longestName = 60;

/** A name in quotes, not too long. */
export function shown(name: string): string {
  return JSON.stringify(name.length > longestName ? `${name.slice(0, longestName)}...` : name);
}
