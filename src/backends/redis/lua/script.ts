import { createHash } from "node:crypto";
import { base } from "./base.ts";
import { groups } from "./groups.ts";
import { locks } from "./locks.ts";
import { records } from "./records.ts";

/** The one script that runs every group that is not a plain read or write. */
export const script = [base, records, locks, groups].join("");

/** What the server knows it by. */
export const scriptSha = createHash("sha1").update(script).digest("hex");
