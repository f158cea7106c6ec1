/** What a page asks to be run or stored, in this order. */
export interface Snippet {
  /** Line of the page on which it begins. */
  readonly line: number;
  readonly language: "ts" | "js" | "sh" | "file";
  readonly code: string;
  /** Where a `file` is stored. */
  readonly file?: string;
}

interface Block {
  readonly line: number;
  readonly language: string;
  readonly code: string;
  readonly directive: string | undefined;
}

/**
 * Reads the snippets of a Markdown page. The TypeScript blocks of a page are one program, in their order, unless a
 * comment before a block says otherwise; a JavaScript or shell block is always a program of its own.
 *
 * - `<!-- snippet: alone -->`: the block is a program of its own.
 * - `<!-- file: NAME -->`: the block is a file, of any language, for the programs that follow.
 * - `<!-- snippet: setup`, code, `-->`: code of the page's program that is not shown.
 */
export function readSnippets(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let main: number | undefined;
  for (const { line, language, code, directive } of readBlocks(page)) {
    if (directive?.startsWith("file: ")) {
      snippets.push({ line, language: "file", code, file: directive.slice("file: ".length) });
    } else if (directive !== undefined && directive !== "snippet: alone" && directive !== "snippet: setup") {
      throw new Error(`line ${line}: unknown directive "${directive}"`);
    } else if (language === "sh" || language === "js" || (language === "ts" && directive === "snippet: alone")) {
      snippets.push({ line, language, code });
    } else if (language === "ts") {
      const program = main === undefined ? undefined : snippets[main];
      if (main === undefined || !program) main = snippets.push({ line, language, code }) - 1;
      else snippets[main] = { ...program, code: joinPrograms(program.code, code) };
    }
  }
  return snippets;
}

function* readBlocks(page: string): Generator<Block> {
  const lines = page.split("\n");
  let directive: string | undefined;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const comment = /^<!-- ((?:snippet|file): [^>]*?) -->$/.exec(line);
    const fence = /^```(\w+)/.exec(line);
    if (comment) {
      directive = comment[1];
    } else if (line === "<!-- snippet: setup") {
      const end = endOf(lines, index, "-->");
      yield { line: index + 1, language: "ts", code: lines.slice(index + 1, end).join("\n"), directive: line.slice(5) };
      index = end;
    } else if (fence) {
      const end = endOf(lines, index, "```");
      const code = lines.slice(index + 1, end).join("\n");
      yield { line: index + 1, language: fence[1] ?? "", code, directive };
      directive = undefined;
      index = end;
    }
  }
}

function endOf(lines: readonly string[], start: number, mark: string): number {
  const end = lines.indexOf(mark, start + 1);
  if (end < 0) throw new Error(`line ${start + 1}: the block does not end`);
  return end;
}

const importLine = /^import (type )?\{([^}]*)\} from "([^"]+)";[^\n]*\n?/gm;

/** Puts programs one after the other. Names that both import are imported once, and each module by one statement. */
export function joinPrograms(first: string, second: string): string {
  const imported = new Map<string, Map<string, boolean>>();
  const bodies = [first, second].map((program) =>
    program.replaceAll(importLine, (_, typeOnly: string | undefined, list: string, from: string) => {
      const names = imported.get(from) ?? new Map<string, boolean>();
      imported.set(from, names);
      for (const item of list.split(",").map((text) => text.trim())) {
        if (item === "") continue;
        const name = item.replace(/^type /, "");
        const isType = typeOnly !== undefined || item !== name;
        names.set(name, isType && names.get(name) !== false);
      }
      return "";
    }),
  );
  const imports = [...imported].map(([from, names]) => {
    const list = [...names].map(([name, isType]) => (isType ? `type ${name}` : name)).join(", ");
    return `import { ${list} } from "${from}";\n`;
  });
  return imports.join("") + bodies.filter((body) => body.trim() !== "").join("\n");
}
