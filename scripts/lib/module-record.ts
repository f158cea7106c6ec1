import { readFileSync } from "node:fs";
import { parseSync } from "oxc-parser";

/** One import or re-export of a source file. */
export interface ModuleEdge {
  readonly specifier: string;
  readonly line: number;
  /** Erased by the compiler: `import type`, or an `export type … from`. */
  readonly typeOnly: boolean;
  /** An `import()` expression; its specifier is `""` when it is not a plain string. */
  readonly dynamic: boolean;
}

/** What the checks need to know of a source file. */
export interface SourceModule {
  readonly edges: readonly ModuleEdge[];
  readonly text: string;
  readonly lines: number;
  /** Lines of top-level statements that the compiler does not erase. */
  readonly runtimeLines: readonly number[];
}

type Statement = ReturnType<typeof parseSync>["program"]["body"][number];

/** Reads and parses one file. Throws when it is not valid TypeScript. */
export function readModule(file: string): SourceModule {
  const text = readFileSync(file, "utf8");
  const { module, program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors.map((error) => error.message).join("; ")}`);
  const lineAt = (offset: number): number => text.slice(0, offset).split("\n").length;

  const edges: ModuleEdge[] = [];
  for (const statement of program.body) {
    const source = sourceOf(statement);
    if (source === undefined) continue;
    edges.push({
      specifier: source,
      line: lineAt(statement.start),
      typeOnly: isErased(statement),
      dynamic: false,
    });
  }
  for (const found of module.dynamicImports) {
    const raw = text.slice(found.moduleRequest.start, found.moduleRequest.end);
    const literal = /^(["'`])([^"'`$]*)\1$/.exec(raw);
    edges.push({ specifier: literal?.[2] ?? "", line: lineAt(found.start), typeOnly: false, dynamic: true });
  }
  return {
    edges,
    text,
    lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
    runtimeLines: program.body.filter((statement) => !isErased(statement)).map((statement) => lineAt(statement.start)),
  };
}

function sourceOf(statement: Statement): string | undefined {
  switch (statement.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return statement.source.value;
    case "ExportNamedDeclaration":
      return statement.source?.value;
    default:
      return undefined;
  }
}

function isErased(statement: Statement): boolean {
  switch (statement.type) {
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return true;
    case "ImportDeclaration":
      return statement.importKind === "type";
    case "ExportAllDeclaration":
      return statement.exportKind === "type";
    case "ExportNamedDeclaration":
      return statement.exportKind === "type";
    default:
      return false;
  }
}
