import { execFileSync } from "node:child_process";

/** A certificate for 127.0.0.1 and localhost, which signs itself, as PEM. */
export interface Certificate {
  readonly key: string;
  /** What a client has to trust. */
  readonly cert: string;
}

export function makeCertificate(): Certificate {
  const both = execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"],
      ...[
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        "-",
        "-out",
        "-",
      ],
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  const start = both.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: both.slice(0, start), cert: both.slice(start) };
}
