/**
 * The shape of one error that a compiled schema validator reports.
 *
 * It is ajv's `ErrorObject` written out, so that no run-time or declaration dependency on ajv
 * remains.
 */

export interface ErrorObject {
  /** The JSON Schema keyword that failed, e.g. `type` or `additionalProperties`. */
  readonly keyword: string;
  /** A JSON pointer (RFC 6901) to the value that failed; empty for the whole value. */
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}
