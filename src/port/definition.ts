import type { BackendUrl } from "../url/backend-url.ts";
import type { Backend } from "./backend.ts";

/**
 * What is known of a backend before it is loaded. Everything else that names backends is made of it: what `connect`
 * reaches, what messages and the command line list, what is tested.
 */
export interface BackendDefinition<Options = unknown> {
  /** A short name for errors and tables: lower case letters, digits and hyphens, such as `"toy"`. */
  readonly name: string;
  /**
   * The schemes of its URLs, as messages show them: `"toy://"` where hosts follow, `"toy:"` where none do. Brackets
   * hold what may be left out, with choices: `"toy[s][+cluster|+alone]://"`.
   */
  readonly schemes: readonly string[];
  /** A URL of it that needs nothing but its server, for help and messages. */
  readonly example?: string | undefined;
  /** Who shares what it holds, in a few words, for help. */
  readonly about?: string | undefined;
  /** The package of its driver, which the application installs. Undefined for a backend that needs none. */
  readonly dependency?: Dependency | undefined;
  /** The options that a URL of its schemes means. No I/O. Throws InvalidArgumentError. */
  fromUrl(url: BackendUrl, use: Use): Options;
  /**
   * Makes the backend. No I/O but to load its own code; the driver is loaded on first use. Throws
   * InvalidArgumentError.
   */
  open(options: Options): Backend | Promise<Backend>;
}

/** A package that is loaded when it is first needed. */
export interface Dependency {
  /** Its name in the registry. */
  readonly name: string;
  /** The versions that do, as `package.json` writes them, such as `"^3.5.6"`. */
  readonly range: string;
}

/** What a backend is used for: a server that holds caches only may lose what it likes. */
export type Use = "all" | "cache";
