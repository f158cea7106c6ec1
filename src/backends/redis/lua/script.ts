import { createHash } from "node:crypto";
import { base } from "./base.ts";
import { group, groups } from "./groups.ts";
import { lockState } from "./lock-state.ts";
import { locks } from "./locks.ts";
import { records } from "./records.ts";

const foreign = `
local function foreign()
  error({ err = 'FOREIGN this key holds something else' })
end
`;

/** The one script that runs every group that is not a plain read or write. */
export const script = base + groups(foreign + records + lockState + locks + group);

/** What the server knows it by. */
export const scriptSha = createHash("sha1").update(script).digest("hex");
