import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { format } from "prettier";

/** The list of all definitions, from the root of the repository on. */
export const definitionList = "src/backends/definitions.generated.ts";

/** The names of the backends: the folders of `src/backends` that have a definition. */
export function backendNames(root: string): string[] {
  const folder = path.join(root, "src/backends");
  return readdirSync(folder)
    .filter((name) => existsSync(path.join(folder, name, "definition.ts")))
    .toSorted();
}

/** The text of {@link definitionList}. */
export async function listDefinitions(root: string): Promise<string> {
  const names = backendNames(root).map((name) => ({ folder: name, variable: variableOf(name) }));
  const text = `// Made by \`npm run generate\` of the folders beside it that have a definition: do not edit.
import type { BackendDefinition } from "../port/index.ts";
${names.map(({ folder, variable }) => `import { definition as ${variable} } from "./${folder}/definition.ts";`).join("\n")}

/** Every backend of this package, by name. */
export const definitions: readonly BackendDefinition[] = [${names.map(({ variable }) => variable).join(", ")}];
`;
  return format(text, { parser: "typescript", printWidth: 120 });
}

/** Some names, as `null`, are words of the language. */
function variableOf(name: string): string {
  return `${name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())}Definition`;
}
