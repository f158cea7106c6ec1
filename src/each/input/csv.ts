/**
 * The fields of one CSV record by RFC 4180, without its line ending; a string tells why it is none. A quote inside of
 * an unquoted field is text.
 */
export function parseCsvRecord(text: string): readonly string[] | string {
  if (!text.includes('"')) return text.split(",");
  const fields: string[] = [];
  for (let i = 0; ; i++) {
    if (text[i] === '"') {
      let field = "";
      for (i++; ; i += 2) {
        const close = text.indexOf('"', i);
        if (close < 0) return "a quote is never closed";
        field += text.slice(i, close);
        i = close;
        if (text[i + 1] !== '"') break;
        field += '"';
      }
      i++;
      if (i < text.length && text[i] !== ",") return "there is text after a closing quote";
      fields.push(field);
    } else {
      const comma = text.indexOf(",", i);
      const end = comma < 0 ? text.length : comma;
      fields.push(text.slice(i, end));
      i = end;
    }
    if (i >= text.length) return fields;
  }
}
