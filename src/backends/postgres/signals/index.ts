/*
 * Who is who in the signals of Postgres:
 *
 * `hub.ts`        what sessions subscribe to, by the names of `channels.ts`, and what is notified for them.
 * `ear.ts`        the connection that listens, and whether it hears.
 * `payloads.ts`   what notifications say.
 * `telling.ts`    the statements: a write tells of itself, in the same statement, where somebody is registered.
 * `watchers.ts`   registers those who watch, and finds out what may have gone untold.
 */
export { postgresSignals } from "./hub.ts";
