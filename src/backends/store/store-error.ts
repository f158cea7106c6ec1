import { isHoldfastError, UnavailableError } from "../../base/errors.ts";

/** The server could not be asked, or did not answer. */
export class StoreError extends Error {
  static {
    Object.defineProperty(StoreError.prototype, "name", {
      value: "StoreError",
      writable: true,
      configurable: true,
    });
  }
  /** Whether what was asked may have taken effect, or may yet. */
  readonly sent: boolean;
  /**
   * Whether the server was reached and refuses such requests for now, as one that is out of memory or read-only does.
   */
  readonly refused: boolean;

  constructor(
    message: string,
    options: { readonly sent: boolean; readonly refused?: boolean | undefined; readonly cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.sent = options.sent;
    this.refused = options.refused === true;
  }
}

/** Whether what failed so may have taken effect. */
export function mayHaveBeenSent(error: unknown): boolean {
  return isStoreError(error) ? error.sent : !isHoldfastError(error, "INVALID_ARGUMENT");
}

/** What a caller is told of it. */
export function failureOf(error: unknown, backend: string): Error {
  if (isHoldfastError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new UnavailableError(message, { backend, cause: error, refused: isStoreError(error) && error.refused });
}

/** Also one of a second copy of the package. */
function isStoreError(error: unknown): error is StoreError {
  return error instanceof Error && error.name === "StoreError" && typeof (error as StoreError).sent === "boolean";
}
