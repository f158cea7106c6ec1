import { InvalidArgumentError } from "../../base/errors.ts";
import { utf8Length } from "../../base/keys.ts";

/** Longest message to a topic, in bytes. */
const maxMessage = 32 * 1_024;
/** Longest name of a topic, in bytes. */
const maxTopic = 1_024;

/** Throws InvalidArgumentError for a message that is too long or not well formed. */
export function checkMessage(body: string, backend: string): void {
  const bytes = utf8Length(body);
  if (bytes >= 0 && bytes <= maxMessage) return;
  throw new InvalidArgumentError(`a message is at most ${maxMessage} bytes of well-formed text`, { backend });
}

/** Throws InvalidArgumentError for a name that is too long or not well formed. */
export function checkTopic(topic: string, backend: string): void {
  const bytes = utf8Length(topic);
  if (bytes >= 0 && bytes <= maxTopic) return;
  throw new InvalidArgumentError(`a topic is at most ${maxTopic} bytes of well-formed text`, { backend });
}
