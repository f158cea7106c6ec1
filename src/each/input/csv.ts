/**
 * The fields of one CSV record by RFC 4180, without its line ending; a string tells why it is none. A quote inside of
 * an unquoted field is text.
 */
export function parseCsvRecord(text: string, delimiter = ","): readonly string[] | string {
  if (!text.includes('"')) return text.includes("\r") ? loneReturn : text.split(delimiter);
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
      if (i < text.length && text[i] !== delimiter) return "there is text after a closing quote";
      fields.push(field);
    } else {
      const found = text.indexOf(delimiter, i);
      const end = found < 0 ? text.length : found;
      const field = text.slice(i, end);
      if (field.includes("\r")) return loneReturn;
      fields.push(field);
      i = end;
    }
    if (i >= text.length) return fields;
  }
}

/** Why a row is none that was not cut where it should have been. */
export const loneReturn = "a carriage return without a newline is in it, outside of quotes";
