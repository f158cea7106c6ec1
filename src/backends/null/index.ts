export { nullBackend } from "./backend.ts";
