// What a backend must be: types only. Read `backend` first.
//
// - `backend`: a server and one way to reach it; its sessions, which execute groups and read pages.
// - `operations`: groups, what each operation does, and what becomes of them.
// - `capabilities`: what a backend promises. Features decide by that alone.
// - `own-transaction`: groups as a part of a transaction of the application.
// - `signals`: what a session hears: grants, changes, messages. `examination`: what a server is and how it is set.
// - `tables`: how the tables of a server are made, where a backend has some.
// - `definition`: what is known of a backend before it is loaded.

export type * from "./backend.ts";
export type * from "./capabilities.ts";
export type * from "./definition.ts";
export type * from "./examination.ts";
export type * from "./operations.ts";
export type * from "./own-transaction.ts";
export type * from "./signals.ts";
export type * from "./tables.ts";
