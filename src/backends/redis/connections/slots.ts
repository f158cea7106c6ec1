import type { Reply } from "../router.ts";
import type { Endpoint } from "./wire.ts";

/** Slots of a cluster. */
export const SLOTS = 16_384;

/** Who serves a range of slots. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly primary: { readonly host: string; readonly port: number };
}

/** CRC-16 with the polynomial 0x1021, for each byte. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The slot of a key: of what is between the first `{` and the next `}`, if there is anything. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (let i = 0; i < tag.length; i++) {
    const code = tag.charCodeAt(i);
    if (code > 0x7f) return slotOfBytes(Buffer.from(tag));
    crc = next(crc, code);
  }
  return crc % SLOTS;
}

function slotOfBytes(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = next(crc, byte);
  return crc % SLOTS;
}

function next(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] as number);
}

/** The reply of CLUSTER SLOTS. A server that does not know its own address leaves it out: it is where it was asked. */
export function parseSlots(reply: Reply, asked: Endpoint): SlotRange[] {
  if (!Array.isArray(reply)) throw new Error("CLUSTER SLOTS was answered with something else");
  return (reply as readonly Reply[]).map((range) => {
    const [from, to, primary] = range as readonly [number, number, readonly Reply[]];
    const [host, port] = primary as readonly [Buffer | string | null, number];
    return { from, to, primary: { host: hostOr(host === null ? "" : String(host), asked), port } };
  });
}

/** The address in `MOVED 3999 127.0.0.1:6381` or `ASK ...`; without a host it is that of the server that said so. */
export function parseRedirect(
  message: string,
  from: Endpoint,
): { readonly slot: number; readonly to: Endpoint } | undefined {
  const [, slot, host = "", port] = /^(?:MOVED|ASK) (\d+) (\S*):(\d+)$/.exec(message) ?? [];
  if (slot === undefined) return undefined;
  return { slot: Number(slot), to: { host: hostOr(host, from), port: Number(port) } };
}

function hostOr(host: string, asked: Endpoint): string {
  if (host !== "" && host !== "?") return host;
  return "host" in asked ? asked.host : "127.0.0.1";
}
