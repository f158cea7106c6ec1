export { checkSettings, type ServerTraits, type SettingsTerms } from "./check.ts";
export { examineServers } from "./examine.ts";
export { requireRights } from "./rights.ts";
