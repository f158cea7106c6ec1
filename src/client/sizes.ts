import { InvalidArgumentError } from "../base/errors.ts";
import { bytesOver } from "../base/sizes.ts";
import type { Capabilities, Payload } from "../port/index.ts";

/** Why a backend does not take a value, if it does not. */
export function tooLarge(
  payload: Payload,
  key: string,
  { maxValue }: Capabilities,
  backend: string,
): InvalidArgumentError | undefined {
  const bytes = bytesOver(payload, maxValue);
  if (bytes === undefined) return undefined;
  const message = `the value is ${bytes} bytes, and ${backend} takes at most ${maxValue}`;
  return new InvalidArgumentError(message, { backend, key });
}
