/**
 * Schemes as messages show them and as they are matched: `"toy://"` where hosts follow, `"toy:"` where none do.
 * Brackets hold what may be left out, with choices: `"toy[s][+cluster|+alone]://"`.
 */
const PATTERN = /^[a-z](?:[a-z0-9+.-]|\[[a-z0-9+.-]+(?:\|[a-z0-9+.-]+)*\])*:(?:\/\/)?$/;

/** Whether a text is a pattern of schemes. */
export function isSchemePattern(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether a pattern is of servers: hosts follow its `//`. */
export function namesHosts(pattern: string): boolean {
  return pattern.endsWith("://");
}

/** Whether a scheme, in lower case, is one of a pattern's. */
export function matchesScheme(pattern: string, scheme: string): boolean {
  const source = pattern
    .replace(/:(?:\/\/)?$/, "")
    .replaceAll(/[.+]/g, "\\$&")
    .replaceAll("[", "(?:")
    .replaceAll("]", ")?");
  return new RegExp(`^${source}$`).test(scheme);
}
