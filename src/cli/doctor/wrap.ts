// oxlint-disable-next-line no-control-regex
const steering = /[\u0000-\u001f\u007f-\u009f]/g;

/**
 * `text` in lines of at most `width` where its words allow, the first one after `head`, the others after `rest`. What
 * would steer a terminal is left out, since a server may say anything.
 */
export function wrap(text: string, width: number, head: string, rest: string): string[] {
  const lines: string[] = [];
  let line = head.replaceAll(steering, "");
  let empty = true;
  for (const word of text.replaceAll(steering, "").split(" ")) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line.trimEnd()];
}
