// Starts a server, says where it is, and ends without stopping it: by itself, or when it is killed.
import { startRedis } from "../../support/redis/server.ts";

const server = await startRedis({ kind: "redis" });
const stays = process.argv[2] === "stay";
// A stopped process reacts to nothing but a kill.
if (stays) server.pause();
process.stdout.write(`${JSON.stringify({ port: server.port, folder: server.folder })}\n`);
if (stays) setInterval(() => undefined, 1_000);
