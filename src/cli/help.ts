import { definitions } from "../backends/definitions.generated.ts";

const general = `holdfast: state and locks that hold when instances fail

  holdfast each INPUT --do handler.js [options]   handle every item of a file, exactly once
  holdfast demo [options]                         watch workers being killed and paused, and the books still balance
  holdfast doctor URL                             what a store is, what it guarantees, and what is set wrong
  holdfast migrate URL                            make the tables of a store, or bring them up to date
  holdfast help COMMAND                           more about a command
  holdfast --version

A store is named by its URL:

${storeLines()}

Schemes: ${definitions.flatMap(({ schemes }) => schemes).join(", ")}
`;

const each = `holdfast each INPUT --do handler.js [options]

Calls the default export of handler.js, "async (item, ctx) => {}", for every item of INPUT (a file, also of gzip or
zstd; "-" is standard input). What it writes through ctx.state("name") commits together with the item's progress,
exactly once. Run it again after a crash or an interrupt and it goes on; run it on another machine with the same
--store, --job and input and they share the work.

  --do FILE             the module of the handler (required), also in TypeScript from Node 22.6 on
  --store URL           where state and progress are kept         (file:./.holdfast)
  --job NAME            the name of the progress                  (names of input and handler)
  --key FIELD           items with the same value there are handled one after the other, in the order of the input
  --format jsonl|csv    a JSON value a line, or rows under a header   (by the extension)
  --delimiter CHAR      what parts the fields of CSV: one character, or tab   (a comma; tab for .tsv)
  --encoding NAME       what the text is written in, such as windows-1252     (by its mark, else utf-8)
  --big-integers MODE   integers of JSON beyond 2^53 - 1 as string or as bigint   (refused)
  --processes N         worker processes                          (one a core, at most 4)
  --concurrency N       handlers at a time in a process           (32)
  --retries N           tries after the first one failed          (3)
  --backoff DURATION    wait before the first retry, then doubled (1s)
  --on-dead MODE        after an item failed for good: stop-key, later items of its key wait (default); or continue
  --retry-dead          try dead letters again, and go on with what waits behind them
  --dead-letter FILE    write the dead letters there at the end
  --store-timeout DUR   how long a store that is away is waited for   (60s)
  --lease DURATION      how long a dead or blocked worker keeps its part  (10s)
  --item-timeout DUR    how long a handler may take; then its signal aborts and the item has failed   (for ever)
  --dry-run             show the first items as the handler would get them, and store nothing; needs no --do
  --status              show how far the job is, of INPUT and --do or of --job, and change nothing
  --quiet               no progress
  --json                the summary as JSON on standard output

The handler's ctx has key, id, attempt, signal, lease, idempotencyKey and state(name). It runs at least once: give
ctx.idempotencyKey to whatever it calls outside.

Exit codes: 0 all done, 1 dead letters, 2 bad usage or input, 3 the store failed, 130 interrupted.
`;

const demo = `holdfast demo [options]

Settles a ledger of orders with several worker processes. While they work, one is killed and one is paused past its
lease. Then the books are audited: every order settled exactly once, balances as of a serial run, late writes refused.

  --store URL       where to work                 (a directory of its own, removed at the end)
  --orders N        how many orders               (4000)
  --processes N     worker processes, at least 2  (3)
  --seed N          which ledger                  (random)
  --json            events and audit as JSON lines

Exit codes: 0 the audit found no difference, 1 it did, 2 bad usage, 3 the store failed, 130 interrupted.
`;

const doctor = `holdfast doctor URL [options]

Looks at the store behind a URL and says what it is, how far away it is, what it guarantees as it is set now, what it
does not, and what is set wrong, with the remedy; also where a service would refuse to connect. It writes nothing but a
key of its own, which it deletes. Passwords are not shown.

  --timeout DURATION   how long all of it may take   (15s)
  --json               the same as JSON

Give it the URL that a service uses, with its parameters: what is wrong depends on them.

Exit codes: 0 nothing is set wrong, 1 something is, 2 bad usage, 3 the store cannot be reached.
`;

const migrate = `holdfast migrate URL [options]

Makes the tables of a store on a server of SQL, or brings them to the version of this package, and says what it did. A
service does so itself when it connects, unless its URL says ?migrate=check: then it needs no right to make tables, and
this command is run before, by somebody who has it. May be run again, and by many at once.

  --print              only prints the statements, for somebody else to run; reaches no server
  --timeout DURATION   how long all of it may take   (60s)
  --json               the same as JSON

Tables that are there stay as they are. One that was dropped is made again, empty: what it held is lost.

Exit codes: 0 done, or there was nothing to do, 2 bad usage, a store without tables, rights that are missing or tables
of a newer version, 3 the store cannot be reached.
`;

/** Every backend: an example of its URL, its schemes, and who shares what it holds. */
function storeLines(): string {
  const stores = definitions.map(({ schemes: [first = ""], example = first, about = "" }) => [example, about] as const);
  const width = Math.max(...stores.map(([example]) => example.length));
  return stores.map(([example, about]) => `  ${example.padEnd(width)}   ${about}`).join("\n");
}

/** The help text of a command, or the general one. */
export function help(command: string | undefined): string {
  switch (command) {
    case "each":
      return each;
    case "demo":
      return demo;
    case "doctor":
      return doctor;
    case "migrate":
      return migrate;
    default:
      return general;
  }
}
