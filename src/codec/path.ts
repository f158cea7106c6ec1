/** One step into a value: a property, an index, or a key that is a symbol. */
export type Step = string | number | symbol;

const LONGEST_STEP = 64;

/** A step that needs no quotes. Made when it is first needed, for its classes of characters take a millisecond. */
let name: RegExp | undefined;

/** `["items", 3, "a b"]` as `$.items[3]["a b"]`. */
export function formatPath(steps: readonly Step[]): string {
  return `$${steps.map(formatStep).join("")}`;
}

function formatStep(step: Step): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "symbol") return `[${shortened(step.toString())}]`;
  name ??= new RegExp(String.raw`^[\p{ID_Start}$_][\p{ID_Continue}$]*$`, "u");
  if (step.length <= LONGEST_STEP && name.test(step)) return `.${step}`;
  return `[${JSON.stringify(shortened(step))}]`;
}

function shortened(text: string): string {
  return text.length <= LONGEST_STEP ? text : `${text.slice(0, LONGEST_STEP)}…`;
}
