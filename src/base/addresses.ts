/** A server as text: an IPv6 address in brackets, and the path of a socket as it is. */
export function addressText(host: string, port: number | string): string {
  if (host.startsWith("/")) return host;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
