import type { Node } from "../router.ts";
import { askOnce } from "./ask-once.ts";
import { connectionFailure, isReply, replyFailure } from "./failures.ts";
import type { SentinelOptions } from "./sentinel.ts";
import { showEndpoint } from "./wire.ts";

/** The sentinels that are named, to be asked now and then: each question has a connection of its own. */
export function sentinelNodes(options: SentinelOptions): readonly Node[] {
  return options.sentinels.map((endpoint) => ({
    id: showEndpoint(endpoint),
    async send(args) {
      try {
        return await askOnce(options, endpoint, "sentinels", args);
      } catch (error) {
        if (isReply(error)) throw replyFailure(error.message, args[0], options.hide);
        throw connectionFailure(error, true, options.hide);
      }
    },
  }));
}
