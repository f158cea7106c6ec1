import type { Examined, Finding, RoundTrips } from "../../entries/index.ts";
import type { Paint } from "../demo/paint.ts";
import { guarantees } from "../guarantees.ts";
import { count } from "../words.ts";
import { wrap } from "./wrap.ts";

/** What `holdfast doctor` prints for people, in lines of at most `width`. */
export function page(url: string, found: Examined, width: number, paint: Paint): string {
  const promised = guarantees.map(([title, word]) => [title, word(found.capabilities)] as const);
  const sections = [
    ...factSections(found, width),
    section("what it guarantees", promised, width, columnOf(promised)),
    { title: "what that leaves open", lines: found.leavesOpen.flatMap((text) => wrap(text, width, "  - ", "    ")) },
    { title: "settings", lines: found.findings.flatMap((finding) => findingLines(finding, width, paint)) },
  ];
  const lines = [`${url} (${found.backend})`];
  for (const { title, lines: body } of sections) {
    if (body.length > 0) lines.push("", paint.bold(title), ...body);
  }
  return `${[...lines, "", verdict(found.findings, paint)].join("\n")}\n`;
}

interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

type Row = readonly [name: string, text: string];

/** All of them with one column of names. */
function factSections({ facts, roundTrips }: Examined, width: number): Section[] {
  const groups = new Map<string, Row[]>();
  const rowsOf = (group: string): Row[] => {
    const rows = groups.get(group) ?? [];
    groups.set(group, rows);
    return rows;
  };
  for (const { group, name, value, text } of facts) rowsOf(group).push([name, text ?? String(value)]);
  for (const times of roundTrips) rowsOf("round trip").push([times.to, roundTripText(times)]);
  const column = columnOf([...groups.values()].flat());
  return [...groups].map(([title, rows]) => section(title, rows, width, column));
}

function columnOf(rows: readonly Row[]): number {
  return Math.max(0, ...rows.map(([name]) => name.length));
}

/** Names in a column, texts beside them. */
function section(title: string, rows: readonly Row[], width: number, column: number): Section {
  const rest = " ".repeat(column + 4);
  return { title, lines: rows.flatMap(([name, text]) => wrap(text, width, `  ${name.padEnd(column)}  `, rest)) };
}

function roundTripText({ count: times, min, median, p99 }: RoundTrips): string {
  const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 0);
  return `min ${ms(min)}, median ${ms(median)}, p99 ${ms(p99)} ms of ${times}, one at a time`;
}

const marks: Readonly<Record<Finding["level"], string>> = {
  wrong: "WRONG",
  risk: "risk",
  unknown: "unknown",
  fine: "fine",
};
const markColumn = "  unknown  ".length;

function findingLines({ level, what, why, remedy }: Finding, width: number, paint: Paint): string[] {
  const rest = " ".repeat(markColumn);
  const lines = [
    ...wrap(`${what}: ${why}`, width, `  ${marks[level]}`.padEnd(markColumn), rest),
    ...(remedy === "" ? [] : wrap(remedy, width, `${rest}-> `, `${rest}   `)),
  ];
  const color = { wrong: paint.red, risk: paint.yellow, unknown: paint.yellow, fine: paint.green }[level];
  return lines.map((line, i) => (i === 0 ? line.replace(marks[level], color(marks[level])) : line));
}

function verdict(findings: readonly Finding[], paint: Paint): string {
  const of = (level: Finding["level"]): number => findings.filter((finding) => finding.level === level).length;
  const wrong = of("wrong");
  const others = [
    of("risk") > 0 ? count(of("risk"), "risk") : "",
    of("unknown") > 0 ? `${of("unknown")} unknown` : "",
  ].filter((part) => part !== "");
  const head = wrong > 0 ? paint.red(`${count(wrong, "setting")} wrong`) : paint.green("nothing is set wrong");
  return [head, ...others].join(", ");
}
