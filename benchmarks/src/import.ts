// What `import "holdfast"` costs over importing an empty module, in fresh processes.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const script = (specifier: string): string =>
  `const start = performance.now(); await import(${JSON.stringify(specifier)}); process.stdout.write(String(performance.now() - start));`;
const once = (specifier: string): number =>
  Number(
    execFileSync(process.execPath, ["--input-type=module", "-e", script(specifier)], { cwd: root, encoding: "utf8" }),
  );
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

const empty = "data:text/javascript,";
const rounds = Array.from({ length: 21 }, () => ({ own: once("holdfast"), empty: once(empty) }));
const own = median(rounds.map((round) => round.own));
const base = median(rounds.map((round) => round.empty));
console.log(
  `import "holdfast": ${own.toFixed(1)} ms, an empty module ${base.toFixed(1)} ms: ${(own - base).toFixed(1)} ms over it`,
);
