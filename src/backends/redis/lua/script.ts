import { createHash } from "node:crypto";
import { base } from "./base.ts";
import { groups } from "./groups.ts";
import { locks } from "./locks.ts";
import { quick } from "./quick.ts";
import { records } from "./records.ts";

/** What most calls do without. */
const general = `
prepare = function()
if check then return end
check, width = {}, {}
local function foreign()
  error({ err = 'FOREIGN this key holds something else' })
end
${records}${locks}
end
`;

/** The one script that runs every group that is not a plain read or write. */
export const script = [base, quick, general, groups].join("");

/** What the server knows it by. */
export const scriptSha = createHash("sha1").update(script).digest("hex");
