export { checkSettings, type ServerTraits, type SettingsTerms } from "./check.ts";
