/** Keyless items go to partitions in rows of this many, so that one partition's items lie together. */
const rowLength = 256;

/**
 * The partition of a key. Part of what a job has stored: it must never change. FNV-1a over the UTF-16 units, then
 * mixed, since the low bits of FNV alone are poor.
 */
export function partitionOfKey(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}

/** The partition of an item without a key, by its record number. Part of what a job has stored, as above. */
export function partitionOfItem(id: number, partitions: number): number {
  return Math.floor((id - 1) / rowLength) % partitions;
}
