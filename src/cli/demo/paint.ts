import type { WriteStream } from "node:tty";

/** Colors, where the output shows them. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  /** `text` in the color of a worker's state. */
  state(name: string, text: string): string;
}

/** By the terminal, and by NO_COLOR. */
export function paintFor(out: WriteStream): Paint {
  const colors = out.isTTY && out.hasColors() && process.env["NO_COLOR"] === undefined;
  const code = (open: number, close: number) => (text: string) =>
    colors ? `\u001B[${open}m${text}\u001B[${close}m` : text;
  const green = code(32, 39);
  const red = code(31, 39);
  const yellow = code(33, 39);
  const dim = code(2, 22);
  const states: Readonly<Record<string, (text: string) => string>> = {
    working: green,
    paused: yellow,
    fenced: yellow,
    killed: red,
    dead: red,
    done: dim,
  };
  return { bold: code(1, 22), dim, green, red, yellow, state: (name, text) => (states[name] ?? dim)(text) };
}
