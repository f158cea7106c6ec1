/** The classes that the package exports without loading them. */
export type PublicClass = "Holdfast" | "StateStore" | "Cache" | "Lock";

/** What marks the objects of such a class, also those of another copy of the package. */
function markOf(name: PublicClass): symbol {
  return Symbol.for(`holdfast.${name}`);
}

/** Marks the objects of a class, and of those that extend it. */
export function markClass(name: PublicClass, { prototype }: { readonly prototype: object }): void {
  Object.defineProperty(prototype, markOf(name), { value: true });
}

/** Whether a value is an object of that class. */
export function isOfClass(name: PublicClass, value: unknown): boolean {
  return typeof value === "object" && value !== null && markOf(name) in value;
}
