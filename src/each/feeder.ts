import { RecordReader, type Block } from "./input/reader.ts";
import type { RawRecord } from "./input/records.ts";
import { Item, used, type Fault } from "./item.ts";
import { keyFault, keyOf } from "./key.ts";
import type { Lane } from "./lane.ts";
import { partitionOfKey, partitionOfItem } from "./partition.ts";
import type { Position } from "./progress.ts";
import type { WorkerTerms } from "./terms.ts";

/**
 * Items of all lanes that wait to be handled, at most about this number; and their characters until they are committed.
 */
const mostOpen = 4096;
const mostChars = 3 * 1024 * 1024;
/** Items of one lane behind its first open one, which bounds what its progress has to say. */
const mostSpan = 8192;

/** Reads the input once for all lanes, from where the one furthest behind is, and hands each lane its records. */
export class Feeder {
  readonly #terms: WorkerTerms;
  readonly #lanes: ReadonlyMap<number, Lane>;
  readonly #reader: RecordReader;
  #reading: Promise<void> | undefined;
  #moved = true;

  constructor(terms: WorkerTerms, lanes: ReadonlyMap<number, Lane>) {
    const { opening, job } = terms;
    this.#terms = terms;
    this.#lanes = lanes;
    this.#reader = new RecordReader(opening.file, job.input.size, opening.format, opening.first);
  }

  /** The lanes are others than before: what is read next depends on them. */
  moved(): void {
    this.#moved = true;
  }

  /** A read that is under way, or one that is due; `undefined` where nothing is to be read now. */
  next(): Promise<void> | undefined {
    return (this.#reading ??= this.#wanted() ? this.#read().finally(() => (this.#reading = undefined)) : undefined);
  }

  #wanted(): boolean {
    let open = 0;
    let chars = 0;
    let hungry = false;
    for (const { queue } of this.#lanes.values()) {
      if (queue.span >= mostSpan) return false;
      open += queue.open;
      chars += queue.chars;
      if (!queue.fedAll) hungry = true;
    }
    return hungry && open < mostOpen && chars < mostChars;
  }

  async #read(): Promise<void> {
    if (this.#moved) this.#seek();
    const block = await this.#reader.read();
    if (!this.#moved) this.#deal(block);
  }

  #seek(): void {
    this.#moved = false;
    let from: Position | undefined;
    for (const { queue } of this.#lanes.values()) {
      if (!queue.fedAll && (!from || queue.fed.offset < from.offset)) from = queue.fed;
    }
    if (from) this.#reader.seek(from);
  }

  #deal(block: Block): void {
    for (const record of block.records) this.#dealOne(record);
    for (const lane of this.#lanes.values()) {
      const { queue, pass } = lane;
      if (queue.fedAll) continue;
      if (queue.fed.offset < block.next.offset) queue.fed = block.next;
      if (!block.end && block.next.id < pass.until) continue;
      queue.fedAll = true;
      this.#moved = true; // the others may be further on
      lane.check();
    }
  }

  #dealOne(record: RawRecord): void {
    const { format } = this.#terms.opening;
    const { key: field, partitions } = this.#terms.job;
    const { id, offset, text } = record;
    const keyless = field === null ? this.#laneFor(partitionOfItem(id, partitions), id) : undefined;
    if (field === null && !keyless) return; // others need not even parse it
    const parsed = format.parse(text);
    const key = field === null || !parsed.ok ? undefined : keyOf(parsed.item, field);
    const partition = key === undefined ? partitionOfItem(id, partitions) : partitionOfKey(key, partitions);
    const lane = keyless ?? this.#laneFor(partition, id);
    if (!lane) return;
    if (!parsed.ok) lane.take(new Item(id, offset, undefined, text, used, inputFault(parsed.fault)));
    else if (field === null || key !== undefined) lane.take(new Item(id, offset, key, text, parsed.item));
    else lane.take(new Item(id, offset, undefined, text, used, inputFault(keyFault(parsed.item, field))));
  }

  #laneFor(partition: number, id: number): Lane | undefined {
    const lane = this.#lanes.get(partition);
    return lane && !lane.queue.fedAll && id >= lane.queue.fed.id && id < lane.pass.until ? lane : undefined;
  }
}

function inputFault(message: string): Fault {
  return { name: "InputError", message };
}
