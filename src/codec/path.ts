/** One step into a value: a property, an index, or a key that is a symbol. */
export type Step = string | number | symbol;

const LONGEST_STEP = 64;

/** `["items", 3, "a b"]` as `$.items[3]["a b"]`. */
export function formatPath(steps: readonly Step[]): string {
  return `$${steps.map(formatStep).join("")}`;
}

function formatStep(step: Step): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "symbol") return `[${shortened(step.toString())}]`;
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) && step.length <= LONGEST_STEP) return `.${step}`;
  return `[${JSON.stringify(shortened(step))}]`;
}

function shortened(text: string): string {
  return text.length <= LONGEST_STEP ? text : `${text.slice(0, LONGEST_STEP)}…`;
}
