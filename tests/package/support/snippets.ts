/** A program or a command of a page, ready to be run. */
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

const known = new Set(["ts", "js", "sh"]);

/**
 * Reads the snippets of a Markdown page. A block is a program of its own, unless a comment before it says otherwise:
 *
 * - `<!-- snippet: continue -->`: it goes on with the program of the block before it.
 * - `<!-- snippet: file NAME -->`: it is a file, of any language, for the blocks that follow.
 * - `<!-- snippet: setup`, code, `-->`: code that is not shown, and begins each program after it.
 */
export function readSnippets(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let setup = "";
  for (const block of readBlocks(page)) {
    if (block.directive === "setup") {
      setup = joinPrograms(setup, block.code);
      continue;
    }
    if (block.directive?.startsWith("file ")) {
      snippets.push({
        line: block.line,
        language: "file",
        code: block.code,
        file: block.directive.slice("file ".length),
      });
      continue;
    }
    if (!known.has(block.language)) continue;
    const language = block.language as Snippet["language"];
    const last = snippets.at(-1);
    if (block.directive === "continue") {
      if (!last || last.language !== language) throw new Error(`line ${block.line}: nothing to continue`);
      snippets[snippets.length - 1] = { ...last, code: joinPrograms(last.code, block.code) };
    } else if (block.directive !== undefined) {
      throw new Error(`line ${block.line}: unknown directive "${block.directive}"`);
    } else {
      const code = language === "sh" ? block.code : joinPrograms(setup, block.code);
      snippets.push({ line: block.line, language, code });
    }
  }
  return snippets;
}

function* readBlocks(page: string): Generator<Block> {
  const lines = page.split("\n");
  let directive: string | undefined;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const comment = /^<!-- snippet: ([^>]*?) -->$/.exec(line);
    const fence = /^```(\w+)/.exec(line);
    if (comment) {
      directive = comment[1];
    } else if (line === "<!-- snippet: setup") {
      const end = lines.indexOf("-->", index);
      yield { line: index + 1, language: "ts", code: lines.slice(index + 1, end).join("\n"), directive: "setup" };
      index = end;
    } else if (fence) {
      const end = lines.indexOf("```", index + 1);
      if (end < 0) throw new Error(`line ${index + 1}: the block does not end`);
      const code = lines.slice(index + 1, end).join("\n");
      yield { line: index + 1, language: fence[1] ?? "", code, directive };
      directive = undefined;
      index = end;
    }
  }
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
